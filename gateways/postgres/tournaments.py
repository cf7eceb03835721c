"""Tournaments with their entries, rounds, challenges and standings."""

from collections.abc import Sequence
from typing import Any

from core.challenge import ChallengeData, ChallengePlan
from core.errors import StaleStateError
from core.ids import ChallengeId, Hotkey, TournamentId
from core.tournament import (
    Entry,
    EntryStatus,
    HaltCause,
    Halted,
    RoundPlan,
    RoundResult,
    RoundStatus,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentState,
    TournamentStatus,
)
from gateways.postgres import ledger, resuming, revisions, rounds
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
                disqualified=revisions.disqualified(transaction, tournament_id),
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
            ledger.charge(transaction, tournament_id)
            accepted = len(_accepted(entries))
            counts = {"accepted": accepted, "refused": len(entries) - accepted}
            _log(transaction, tournament_id, "entries recorded", seed=seed, **counts)

    def completed_entries(self) -> dict[Hotkey, int]:
        with self._database.transaction() as transaction:
            return {Hotkey(row["hotkey"]): row["times"] for row in transaction.execute(_SQL["completed_entries"])}

    def record_round(self, tournament_id: TournamentId, plan: RoundPlan, after: RoundResult | None = None) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            drawn = {round_.plan.number: round_.plan for round_ in rounds.rounds_of(transaction, tournament_id)}
            if drawn.get(plan.number) == plan:
                return
            _expect(tournament, TournamentStatus.ACTIVE)
            rounds.expect_last(transaction, tournament_id, after)
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

    def replan_challenge(self, challenge_id: ChallengeId, plan: ChallengePlan) -> None:
        with self._database.transaction() as transaction:
            if failed := rounds.replan_challenge(transaction, challenge_id, plan):
                details = {"dataset": failed.plan.dataset.dataset_id, "reason": failed.reason}
                log(transaction, f"challenge:{challenge_id}", "replaced", replacement=plan.replacement, **details)

    def close_round(self, result: RoundResult) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament_of(transaction, result)
            before = revisions.through(transaction, result)
            if not rounds.write_result(transaction, result):
                return
            _expect(tournament, TournamentStatus.ACTIVE, TournamentStatus.HALTED)
            details = {"round_id": result.round_id, "revision": result.revision}
            if result.revision > 1 and revisions.through(transaction, result) != before:
                id_ = tournament.tournament_id
                details["superseded"] = revisions.supersede_after(transaction, id_, result.number)
            event = "round closed" if result.revision == 1 else "round revised"
            _log(transaction, tournament.tournament_id, event, **details)

    def crown(self, tournament_id: TournamentId, title: TitleResult, after: RoundResult | None = None) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if revisions.title_of(transaction, tournament_id, revision=1) == as_stored(title):
                return
            _expect(tournament, TournamentStatus.ACTIVE)
            rounds.expect_last(transaction, tournament_id, after)
            revisions.write_title(transaction, tournament_id, title, revision=1)
            transaction.execute(_SQL["finish"], {"tournament_id": tournament_id, "title": jsonb(title)})
            _log(transaction, tournament_id, "crowned", winner=title.winner, changed_hands=title.changed_hands)

    def revise_title(self, tournament_id: TournamentId, title: TitleResult, revision: int) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if revisions.title_of(transaction, tournament_id, revision) == as_stored(title):
                return
            _expect(tournament, TournamentStatus.FINISHED)
            if revision != tournament.title_revision + 1:
                raise StaleStateError(
                    f"revision {revision} of the title of {tournament_id} cannot follow {tournament.title_revision}"
                )
            revisions.write_title(transaction, tournament_id, title, revision)
            _log(transaction, tournament_id, "title revised", winner=title.winner, revision=revision)

    def disqualify(self, tournament_id: TournamentId, hotkey: Hotkey, reason: str) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            if revisions.disqualified(transaction, tournament_id).get(hotkey) == as_stored(reason):
                return
            _expect(tournament, TournamentStatus.ACTIVE, TournamentStatus.HALTED, TournamentStatus.FINISHED)
            accepted = {entry.hotkey for entry in _accepted(_entries(transaction, tournament_id))}
            if hotkey not in accepted - set(revisions.disqualified(transaction, tournament_id)):
                raise StaleStateError(f"{hotkey} has no accepted entry in {tournament_id} that it could lose")
            revisions.disqualify(transaction, tournament_id, hotkey, reason)
            _log(transaction, tournament_id, "disqualified", hotkey=hotkey, reason=reason)

    def cancel(self, tournament_id: TournamentId, reason: str) -> None:
        with self._database.transaction() as transaction:
            _stop(transaction, tournament_id, TournamentStatus.CANCELLED, reason, *_OPEN)
            ledger.refund(transaction, tournament_id)

    def halt(self, tournament_id: TournamentId, cause: HaltCause, reason: str, decide_by_block: int) -> None:
        halted = Halted(cause=cause, decide_by_block=decide_by_block)
        with self._database.transaction() as transaction:
            _stop(transaction, tournament_id, TournamentStatus.HALTED, reason, TournamentStatus.ACTIVE, halted=halted)

    def resume(self, tournament_id: TournamentId, accept: bool = False) -> None:
        with self._database.transaction() as transaction:
            tournament = _tournament(transaction, "lock", tournament_id)
            is_active = tournament.status is TournamentStatus.ACTIVE
            if is_active and (not accept or _has_accepted(transaction, tournament)):
                return
            _expect(tournament, TournamentStatus.HALTED)
            values = {"tournament_id": tournament_id, "status": TournamentStatus.ACTIVE, "reason": None, "halted": None}
            transaction.execute(_SQL["set_status"], values)
            if accept:
                _expect_failures(tournament)
                resuming.accept_failures(transaction, tournament_id)
            else:
                resuming.try_again(transaction, tournament_id)
            _log(transaction, tournament_id, "resumed", failures_accepted=accept)


def _tournament(transaction: Transaction, query: str, tournament_id: TournamentId) -> Tournament:
    row = transaction.execute(_SQL[query], {"tournament_id": tournament_id}).fetchone()
    if row is None:
        raise StaleStateError(f"there is no tournament {tournament_id}")
    return read(Tournament, row)


def _tournament_of(transaction: Transaction, result: RoundResult) -> Tournament:
    """The tournament that a round belongs to, locked."""
    row = transaction.execute(_SQL["lock_of_round"], {"round_id": result.round_id}).fetchone()
    if row is None:
        raise StaleStateError(f"there is no round {result.round_id}")
    return read(Tournament, row)


def _has_accepted(transaction: Transaction, tournament: Tournament) -> bool:
    """The playing round's failures count already."""
    drawn = rounds.rounds_of(transaction, tournament.tournament_id)
    return any(round_.failures_accepted for round_ in drawn if round_.status is RoundStatus.PLAYING)


def _expect_failures(tournament: Tournament) -> None:
    halted = tournament.halted
    if halted is None or halted.cause is not HaltCause.FAILURES:
        raise StaleStateError(
            f"tournament {tournament.tournament_id} has no failed trainings to accept: resume it without accepting"
        )


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
    halted: Halted | None = None,
) -> None:
    tournament = _tournament(transaction, "lock", tournament_id)
    if (tournament.status, tournament.reason, tournament.halted) == (status, as_stored(reason), halted):
        return
    _expect(tournament, *from_)
    values = {"tournament_id": tournament_id, "status": status, "reason": reason, "halted": jsonb(halted)}
    transaction.execute(_SQL["set_status"], values)
    _log(transaction, tournament_id, status, reason=reason, **(halted.model_dump() if halted else {}))


def _log(transaction: Transaction, tournament_id: TournamentId, event: str, **details: Any) -> None:
    log(transaction, f"tournament:{tournament_id}", event, **details)
