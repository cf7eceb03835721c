"""Leases under the database's clock, with fencing tokens from one sequence."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from psycopg.rows import DictRow

from core.compute import Lease, Slot
from core.errors import LeaseHeldError, LeaseLostError, NoCapacityError
from gateways.postgres.database import Database, Transaction, read
from gateways.postgres.events import log
from gateways.postgres.queries import queries

_SQL = queries("leases")


class PostgresLeases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def register_slots(self, slots: Sequence[Slot]) -> None:
        with self._database.transaction() as transaction:
            new = [slot for slot in slots if transaction.execute(_SQL["register"], slot.model_dump()).rowcount]
            for slot in new:
                log(transaction, f"slot:{slot.resource}", "registered", instance=slot.instance)

    def acquire(self, owner: str, holder: str, slots: int, seconds: float, stale_seconds: float) -> Lease:
        with self._database.transaction() as transaction:
            transaction.execute(_SQL["one_at_a_time"])
            transaction.execute(_SQL["free_expired_slots"])
            transaction.execute(_SQL["drop_expired_exclusives"])
            event = _judge_claim(transaction, owner, holder, stale_seconds)
            values = {"owner": owner, "holder": holder, "slots": slots, "seconds": seconds}
            lease = _grant(
                transaction, "renew" if event != "acquired" else "take_slots" if slots else "exclude", values
            )
            resources = [slot.resource for slot in lease.slots]
            log(transaction, f"lease:{owner}", event, holder=holder, token=lease.token, resources=resources)
            return lease

    def heartbeat(self, lease: Lease) -> None:
        with self._database.transaction() as transaction:
            if not transaction.execute(_SQL["heartbeat"], _name(lease)).rowcount:
                raise LeaseLostError(f"{lease.holder} lost its lease of {lease.owner} (token {lease.token})")

    def release(self, lease: Lease) -> None:
        with self._database.transaction() as transaction:
            freed = [
                transaction.execute(_SQL[name], _name(lease)).rowcount for name in ("free_slots", "drop_exclusive")
            ]
            if any(freed):
                log(transaction, f"lease:{lease.owner}", "released", holder=lease.holder, token=lease.token)

    def live_owners(self, stale_seconds: float) -> set[str]:
        with self._database.transaction() as transaction:
            rows = transaction.execute(_SQL["live_owners"], {"stale_seconds": stale_seconds}).fetchall()
        return {row["owner"] for row in rows}

    def stale(self, stale_seconds: float) -> list[Lease]:
        with self._database.transaction() as transaction:
            rows = transaction.execute(_SQL["stale"], {"stale_seconds": stale_seconds}).fetchall()
        return [_lease(list(of_owner)) for _, of_owner in groupby(rows, key=itemgetter("owner"))]


def _judge_claim(transaction: Transaction, owner: str, holder: str, stale_seconds: float) -> str:
    """`acquired`, `renewed` or `taken over`. Raises LeaseHeldError when another holder is alive."""
    held = transaction.execute(_SQL["held"], {"owner": owner, "stale_seconds": stale_seconds}).fetchone()
    if held is None:
        return "acquired"
    if held["holder"] == holder:
        return "renewed"
    if held["is_stale"]:
        return "taken over"
    raise LeaseHeldError(f"{owner} is held by {held['holder']}, which is alive: leave the work to it")


def _grant(transaction: Transaction, query: str, values: dict[str, Any]) -> Lease:
    token = transaction.execute(_SQL["next_token"]).fetchall()[0]["token"]
    rows = transaction.execute(_SQL[query], values | {"token": token}).fetchall()
    if not rows:
        raise NoCapacityError(f"no instance has {values['slots']} free slots for {values['owner']}: try again later")
    return _lease(rows)


def _lease(rows: list[DictRow]) -> Lease:
    return read(Lease, rows[0], slots=_slots(rows))


def _slots(rows: Iterable[DictRow]) -> tuple[Slot, ...]:
    slots = (read(Slot, row) for row in rows if row["kind"] == "slot")
    return tuple(sorted(slots, key=lambda slot: (len(slot.resource), slot.resource)))


def _name(lease: Lease) -> dict[str, str | int]:
    return {"owner": lease.owner, "token": lease.token}
