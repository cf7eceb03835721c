"""The append-only record of every change."""

from collections.abc import Mapping
from typing import Any

from gateways.postgres.database import Database, Transaction, jsonb
from gateways.postgres.queries import queries

_SQL = queries("events")


def log(transaction: Transaction, subject: str, event: str, **details: Any) -> None:
    """Append an event in the transaction of the change that it tells of, as the last thing done there.

    Args:
        subject: `tournament:text-0001`, `training:…`, `lease:…`.
        details: plain JSON values, small.
    """
    transaction.execute(_SQL["append"], {"subject": subject, "event": event, "details": jsonb(details)})


class PostgresEvents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, event_id: int, limit: int = 1000) -> list[Mapping[str, Any]]:
        with self._database.transaction() as transaction:
            return list(transaction.execute(_SQL["since"], {"event_id": event_id, "limit": limit}))
