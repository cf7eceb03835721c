"""Tournament rows: read and write."""

from collections.abc import Sequence

from prefect import task

from core.challenge import ChallengePlan
from core.ids import ChallengeId, Hotkey, TournamentId
from core.tournament import (
    Entry,
    HaltCause,
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
    """Tournaments that are collecting, active or halted."""
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
def record_round(tournament_id: TournamentId, plan: RoundPlan, after: RoundResult | None) -> None:
    ports().tournaments.record_round(tournament_id, plan, after)


@task(task_run_name="replace-{plan.challenge_id}", **EFFECT)
def replan_challenge(challenge_id: ChallengeId, plan: ChallengePlan) -> None:
    ports().tournaments.replan_challenge(challenge_id, plan)


@task(task_run_name="close-{result.round_id}", **EFFECT)
def record_result(result: RoundResult) -> None:
    ports().tournaments.close_round(result)


@task(task_run_name="crown-{title.winner}", **EFFECT)
def record_crown(tournament_id: TournamentId, title: TitleResult, after: RoundResult | None) -> None:
    ports().tournaments.crown(tournament_id, title, after)


@task(task_run_name="revise-title-of-{tournament_id}", **EFFECT)
def record_revised_title(tournament_id: TournamentId, title: TitleResult, revision: int) -> None:
    ports().tournaments.revise_title(tournament_id, title, revision)


@task(task_run_name="disqualify-{hotkey}", **EFFECT)
def disqualify_entrant(tournament_id: TournamentId, hotkey: Hotkey, reason: str) -> None:
    ports().tournaments.disqualify(tournament_id, hotkey, reason)


@task(task_run_name="cancel-{tournament_id}", **EFFECT)
def cancel_tournament(tournament_id: TournamentId, reason: str) -> None:
    ports().tournaments.cancel(tournament_id, reason)


@task(task_run_name="halt-{tournament_id}", **EFFECT)
def halt_tournament(tournament_id: TournamentId, cause: HaltCause, reason: str, decide_by_block: int) -> None:
    ports().tournaments.halt(tournament_id, cause, reason, decide_by_block)
