"""Tournaments with their entries, rounds, challenges and standings."""

from collections.abc import Sequence
from typing import Any

from core.challenge import ChallengeData
from core.errors import StaleStateError
from core.ids import ChallengeId, TournamentId
from core.tournament import (
    Entry,
    EntryStatus,
    RoundPlan,
    RoundResult,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentState,
    TournamentStatus,
)
from gateways.postgres import rounds
from gateways.postgres.database import Database, Transaction, as_stored, jsonb, read
from gateways.postgres.evaluations import evaluations_of
from gateways.postgres.events import log
from gateways.postgres.queries import queries
from gateways.postgres.trainings import trainings_of

_SQL = queries("tournaments")
_OPEN = (TournamentStatus.COLLECTING, TournamentStatus.ACTIVE, TournamentStatus.HALTED)


class PostgresTournaments:
    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, tournament: Tournament) -> Tournament:
        values = tournament.model_dump() | {"rules": jsonb(tournament.rules), "champion": jsonb(tournament.champion)}
        with self._database.transaction() as transaction:
            if row := transaction.execute(_SQL["open"], values).fetchone():
                _log(transaction, tournament.tournament_id, "opened", closing_block=tournament.closing_block)
            elif not (row := transaction.execute(_SQL["open_of_kind"], {"kind": tournament.kind}).fetchone()):
                raise StaleStateError(f"tournament {tournament.tournament_id} is over: open the next number")
            return read(Tournament, row)

    def load(self, tournament_id: TournamentId) -> TournamentState:
        with self._database.snapshot() as transaction:
            return TournamentState(
                tournament=_tournament(transaction, "load", tournament_id),
                entries=_entries(transaction, tournament_id),
                rounds=rounds.rounds_of(transaction, tournament_id),
                challenges=rounds.challenges_of(transaction, tournament_id),
                trainings=trainings_of(transaction, tournament_id),
                evaluations=evaluations_of(transaction, tournament_id),
                results=rounds.results_of(transaction, tournament_id),
            )

    def open_ids(self) -> list[TournamentId]:
        with self._database.transaction() as transaction:
            return [TournamentId(row["tournament_id"]) for row in transaction.execute(_SQL["open_ids"])]

    def latest(self, kind: TournamentKind) -> Tournament | None:
        with self._database.transaction() as transaction:
            row = transaction.execute(_SQL["latest"], {"kind": kind}).fetchone()
        return read(Tournament, row) if row else None

    def finished(self, kind: TournamentKind) -> list[Tournament]:
        with self._database.transaction() as transaction:
            return [read(Tournament, row) for row in transaction.execute(_SQL["finished"], {"kind": kind})]

    def record_entries(self, tournament_id: TournamentId, entries: Sequence[Entry], seed: str) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if tournament.seed == seed and as_stored(_entries(transaction, tournament_id)) == as_stored(entries):
                return
            _expect(tournament, TournamentStatus.COLLECTING)
            _write_entries(transaction, tournament_id, entries)
            transaction.execute(_SQL["activate"], {"tournament_id": tournament_id, "seed": seed})
            accepted = len(_accepted(entries))
            counts = {"accepted": accepted, "refused": len(entries) - accepted}
            _log(transaction, tournament_id, "entries recorded", seed=seed, **counts)

    def record_round(self, tournament_id: TournamentId, plan: RoundPlan) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            drawn = {round_.plan.number: round_.plan for round_ in rounds.rounds_of(transaction, tournament_id)}
            if drawn.get(plan.number) == plan:
                return
            _expect(tournament, TournamentStatus.ACTIVE)
            code = rounds.code_of(tournament.champion, _accepted(_entries(transaction, tournament_id)))
            count = rounds.write_round(transaction, tournament_id, plan, code)
            _log(transaction, tournament_id, "round drawn", round_id=plan.round_id, trainings=count)

    def challenge_ready(self, challenge_id: ChallengeId, data: ChallengeData) -> None:
        with self._database.transaction() as transaction:
            if rounds.settle_challenge(transaction, challenge_id, data, reason=None):
                log(transaction, f"challenge:{challenge_id}", "ready", train=data.train.sha256, test=data.test.sha256)

    def challenge_failed(self, challenge_id: ChallengeId, reason: str) -> None:
        with self._database.transaction() as transaction:
            if rounds.settle_challenge(transaction, challenge_id, data=None, reason=reason):
                log(transaction, f"challenge:{challenge_id}", "failed", reason=reason)

    def close_round(self, result: RoundResult) -> None:
        with self._database.transaction() as transaction:
            tournament_id = rounds.write_result(transaction, result)
            if tournament_id is not None:
                event = "round closed" if result.revision == 1 else "round revised"
                _log(transaction, tournament_id, event, round_id=result.round_id, revision=result.revision)

    def crown(self, tournament_id: TournamentId, title: TitleResult) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if as_stored(tournament.title) == as_stored(title):
                return
            _expect(tournament, TournamentStatus.ACTIVE)
            transaction.execute(_SQL["finish"], {"tournament_id": tournament_id, "title": jsonb(title)})
            _log(transaction, tournament_id, "crowned", winner=title.winner, changed_hands=title.changed_hands)

    def cancel(self, tournament_id: TournamentId, reason: str) -> None:
        with self._database.transaction() as transaction:
            _stop(transaction, tournament_id, TournamentStatus.CANCELLED, reason, *_OPEN)

    def halt(self, tournament_id: TournamentId, reason: str) -> None:
        with self._database.transaction() as transaction:
            _stop(transaction, tournament_id, TournamentStatus.HALTED, reason, TournamentStatus.ACTIVE)

    def resume(self, tournament_id: TournamentId) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if tournament.status is TournamentStatus.ACTIVE:
                return
            _expect(tournament, TournamentStatus.HALTED)
            values = {"tournament_id": tournament_id, "status": TournamentStatus.ACTIVE, "reason": None}
            transaction.execute(_SQL["set_status"], values)
            for query in ("plan_failed_challenges_again", "restart_trainings", "restart_evaluations"):
                transaction.execute(_SQL[query], values)
            _log(transaction, tournament_id, "resumed")


def _tournament(transaction: Transaction, query: str, tournament_id: TournamentId) -> Tournament:
    row = transaction.execute(_SQL[query], {"tournament_id": tournament_id}).fetchone()
    if row is None:
        raise StaleStateError(f"there is no tournament {tournament_id}")
    return read(Tournament, row)


def _entries(transaction: Transaction, tournament_id: TournamentId) -> tuple[Entry, ...]:
    return tuple(read(Entry, row) for row in transaction.execute(_SQL["entries"], {"tournament_id": tournament_id}))


def _write_entries(transaction: Transaction, tournament_id: TournamentId, entries: Sequence[Entry]) -> None:
    rows = [
        entry.model_dump() | {"tournament_id": tournament_id, "position": position, "tree": jsonb(entry.tree)}
        for position, entry in enumerate(entries, start=1)
    ]
    with transaction.cursor() as cursor:
        cursor.executemany(_SQL["write_entry"], rows)


def _accepted(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.status is EntryStatus.ACCEPTED]


def _expect(tournament: Tournament, *statuses: TournamentStatus) -> None:
    if tournament.status not in statuses:
        raise StaleStateError(
            f"tournament {tournament.tournament_id} is {tournament.status}, not {' or '.join(statuses)}: load it anew"
        )


def _stop(
    transaction: Transaction,
    tournament_id: TournamentId,
    status: TournamentStatus,
    reason: str,
    *from_: TournamentStatus,
) -> None:
    tournament = _tournament(transaction, "lock", tournament_id)
    if (tournament.status, tournament.reason) == (status, as_stored(reason)):
        return
    _expect(tournament, *from_)
    transaction.execute(_SQL["set_status"], {"tournament_id": tournament_id, "status": status, "reason": reason})
    _log(transaction, tournament_id, status, reason=reason)


def _log(transaction: Transaction, tournament_id: TournamentId, event: str, **details: Any) -> None:
    log(transaction, f"tournament:{tournament_id}", event, **details)
