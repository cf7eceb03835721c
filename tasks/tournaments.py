"""Tournament rows: read and write."""

from collections.abc import Sequence

from prefect import task

from core.ids import Hotkey, TournamentId
from core.tournament import (
    Entry,
    RoundPlan,
    RoundResult,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentState,
)
from gateways.wiring import ports
from tasks.retrying import EFFECT


@task(task_run_name="load-{tournament_id}", **EFFECT)
def load_tournament(tournament_id: TournamentId) -> TournamentState:
    return ports().tournaments.load(tournament_id)


@task(task_run_name="open-{tournament.tournament_id}", **EFFECT)
def open_row(tournament: Tournament) -> Tournament:
    return ports().tournaments.open(tournament)


@task(**EFFECT)
def open_tournaments() -> list[TournamentState]:
    """Tournaments that are collecting or active."""
    store = ports().tournaments
    return [store.load(tournament_id) for tournament_id in store.open_ids()]


@task(task_run_name="finished-{kind}", **EFFECT)
def finished_tournaments(kind: TournamentKind) -> list[Tournament]:
    return ports().tournaments.finished(kind)


@task(task_run_name="latest-{kind}", **EFFECT)
def latest_tournament(kind: TournamentKind) -> Tournament | None:
    return ports().tournaments.latest(kind)


@task(**EFFECT)
def completed_entries() -> dict[Hotkey, int]:
    """In how many finished tournaments each hotkey has played."""
    return ports().tournaments.completed_entries()


@task(task_run_name="record-entries-{tournament_id}", **EFFECT)
def record_entries(tournament_id: TournamentId, entries: Sequence[Entry], seed: str) -> None:
    ports().tournaments.record_entries(tournament_id, entries, seed)


@task(task_run_name="record-{plan.round_id}", **EFFECT)
def record_round(tournament_id: TournamentId, plan: RoundPlan) -> None:
    ports().tournaments.record_round(tournament_id, plan)


@task(task_run_name="close-{result.round_id}", **EFFECT)
def record_result(result: RoundResult) -> None:
    ports().tournaments.close_round(result)


@task(task_run_name="crown-{title.winner}", **EFFECT)
def record_crown(tournament_id: TournamentId, title: TitleResult) -> None:
    ports().tournaments.crown(tournament_id, title)


@task(task_run_name="cancel-{tournament_id}", **EFFECT)
def cancel_tournament(tournament_id: TournamentId, reason: str) -> None:
    ports().tournaments.cancel(tournament_id, reason)


@task(task_run_name="halt-{tournament_id}", **EFFECT)
def halt_tournament(tournament_id: TournamentId, reason: str) -> None:
    ports().tournaments.halt(tournament_id, reason)
