"""What trainings and evaluations have in common: queued → running (attempts) → done, under a fencing token."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow
from psycopg.sql import Composed, Identifier

from core.compute import Lease
from core.errors import StaleStateError
from core.training import Attempt, AttemptEnd, WorkStatus
from core.value import Frozen
from gateways.postgres.database import Database, Transaction, as_stored, jsonb, read
from gateways.postgres.events import log
from gateways.postgres.queries import queries


def attempts_by_subject(rows: Iterable[DictRow]) -> defaultdict[str, tuple[Attempt, ...]]:
    """Attempts in the order of the rows; a subject without any has none."""
    attempts: defaultdict[str, tuple[Attempt, ...]] = defaultdict(tuple)
    for row in rows:
        attempts[row["subject_id"]] += (read(Attempt, row),)
    return attempts


class WorkLife:
    """The moves of one kind of work, on its table. Every move but `dispatched` is guarded by the token."""

    def __init__(self, database: Database, noun: str) -> None:
        self._database = database
        self._noun = noun
        names = {"work": Identifier(f"{noun}s"), "key": Identifier(f"{noun}_id")}
        self._sql = {name: query.format(**names) for name, query in queries("work").items()}

    def load(self, work_id: str) -> tuple[DictRow, tuple[Attempt, ...]]:
        with self._database.snapshot() as transaction:
            row = self._row(transaction, self._sql["load"], work_id)
            rows = transaction.execute(self._sql["attempts"], {"id": work_id}).fetchall()
        return row, attempts_by_subject(rows)[work_id]

    def dispatched(self, work_id: str) -> int:
        with self._database.transaction() as transaction:
            self.unfinished(transaction, work_id)
            count = int(transaction.execute(self._sql["dispatched"], {"id": work_id}).fetchall()[0]["dispatches"])
            self.log(transaction, work_id, "dispatched", dispatches=count)
            return count

    def begin(self, work_id: str, lease: Lease) -> Attempt:
        with self._database.transaction() as transaction:
            return self.take(transaction, work_id, lease)

    def take(self, transaction: Transaction, work_id: str, lease: Lease, shared_run: str | None = None) -> Attempt:
        """Go on with the attempt that has no end, or open the next one, in a run of its own or a shared one."""
        work = self.unfinished(transaction, work_id)
        if lease.token < work["token"]:
            raise StaleStateError(f"{self._noun} {work_id} was taken under token {work['token']} since {lease.token}")
        attempt = self.open_attempt(transaction, work_id)
        if attempt and (work["status"], work["token"]) == (WorkStatus.RUNNING, lease.token):
            return attempt
        transaction.execute(self._sql["take"], {"id": work_id, "token": lease.token})
        attempt = attempt or self._next_attempt(transaction, work_id, lease, shared_run)
        self.log(transaction, work_id, "begun", attempt=attempt.number, token=lease.token, holder=lease.holder)
        return attempt

    def started(self, work_id: str, token: int, started_at: datetime) -> None:
        with self._database.transaction() as transaction:
            self.guard(transaction, work_id, token)
            attempt = self.open_attempt(transaction, work_id)
            if attempt is None or attempt.started_at not in {None, started_at}:
                raise StaleStateError(f"{self._noun} {work_id} has no attempt that could start at {started_at}")
            if attempt.started_at is None:
                transaction.execute(self._sql["start_attempt"], {"id": work_id, "started_at": started_at})
                self.log(transaction, work_id, "started", attempt=attempt.number)

    def end_attempt(self, work_id: str, token: int, end: AttemptEnd) -> None:
        with self._database.transaction() as transaction:
            work = self.guard(transaction, work_id, token)
            if work["status"] == WorkStatus.QUEUED and self._ended_so(transaction, work_id, end):
                return
            number = self.close_attempt(transaction, work_id, end)
            transaction.execute(self._sql["requeue"], {"id": work_id, "token": token})
            self.log(transaction, work_id, "attempt ended", attempt=number, ending=end.ending, fault=end.fault)

    def close_attempt(self, transaction: Transaction, work_id: str, end: AttemptEnd | None) -> int | None:
        """End the open attempt and return its number. Raises StaleStateError when there is an end but no attempt."""
        attempt = self.open_attempt(transaction, work_id)
        if attempt is None:
            if end is not None:
                raise StaleStateError(f"{self._noun} {work_id} has no open attempt that could end")
            return None
        if end is None:
            transaction.execute(self._sql["end_attempt_without_run"], {"id": work_id})
        else:
            values = end.model_dump() | {"id": work_id, "log": jsonb(end.log)}
            transaction.execute(self._sql["end_attempt"], values)
        return attempt.number

    def guard(self, transaction: Transaction, work_id: str, token: int) -> DictRow:
        """Lock the row. Raises StaleStateError when it is held under another token."""
        work = self._row(transaction, self._sql["lock"], work_id)
        if work["token"] != token:
            raise StaleStateError(f"{self._noun} {work_id} is held under token {work['token']}, not {token}")
        return work

    def is_recorded(self, work: DictRow, **result: Frozen | None) -> bool:
        """Whether exactly this result is there. Raises StaleStateError when another one is."""
        if work["status"] != WorkStatus.DONE:
            return False
        if any(work[name] != as_stored(value) for name, value in result.items()):
            raise StaleStateError(f"{self._noun} {work[f'{self._noun}_id']} is done; its result stands")
        return True

    def log(self, transaction: Transaction, work_id: str, event: str, **details: Any) -> None:
        log(transaction, f"{self._noun}:{work_id}", event, **details)

    def _row(self, transaction: Transaction, query: Composed, work_id: str) -> DictRow:
        row = transaction.execute(query, {"id": work_id}).fetchone()
        if row is None:
            raise StaleStateError(f"there is no {self._noun} {work_id}")
        return row

    def unfinished(self, transaction: Transaction, work_id: str) -> DictRow:
        """Lock the row. Raises StaleStateError when it is done."""
        work = self._row(transaction, self._sql["lock"], work_id)
        if work["status"] == WorkStatus.DONE:
            raise StaleStateError(f"{self._noun} {work_id} is done; its result stands")
        return work

    def _newest_attempt(self, transaction: Transaction, work_id: str) -> Attempt | None:
        row = transaction.execute(self._sql["newest_attempt"], {"id": work_id}).fetchone()
        return read(Attempt, row) if row else None

    def open_attempt(self, transaction: Transaction, work_id: str) -> Attempt | None:
        newest = self._newest_attempt(transaction, work_id)
        return newest if newest and newest.ended_at is None else None

    def _next_attempt(self, transaction: Transaction, work_id: str, lease: Lease, shared_run: str | None) -> Attempt:
        slot = lease.slots[0] if lease.slots else None
        place = {"instance": slot.instance if slot else "", "slot": slot.resource if slot else None}
        values = {"id": work_id, "token": lease.token, "shared_run": shared_run} | place
        return read(Attempt, transaction.execute(self._sql["open_attempt"], values).fetchall()[0])

    def _ended_so(self, transaction: Transaction, work_id: str, end: AttemptEnd) -> bool:
        newest = self._newest_attempt(transaction, work_id)
        if newest is None:
            return False
        said = AttemptEnd.model_validate(as_stored(end)).model_dump(exclude={"started_at"})
        return newest.model_dump(include=set(said)) == said and end.started_at in {None, newest.started_at}
