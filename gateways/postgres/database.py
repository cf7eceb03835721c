"""The pool of connections, and what its errors mean to us."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg.types.string import StrDumperUnknown
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import BaseModel

from core.errors import PrerequisiteError, StaleStateError, UnreachableError

Transaction = psycopg.Connection[DictRow]
"""A connection inside one transaction; its rows are dicts."""

Model = TypeVar("Model", bound=BaseModel)

CONNECT_SECONDS = 10
SESSION = "-c statement_timeout=30s -c lock_timeout=20s -c idle_in_transaction_session_timeout=60s -c timezone=UTC"


class Database:
    """A small pool, opened on first use. It outlives a killed server: connections are checked when taken."""

    def __init__(self, dsn: str, max_size: int = 8, patience_seconds: float = CONNECT_SECONDS) -> None:
        """Nothing is opened yet.

        Args:
            patience_seconds: how long a call waits for a connection before it raises UnreachableError.
        """
        self._dsn = dsn
        self._pool: ConnectionPool[Transaction] = ConnectionPool(
            dsn,
            connection_class=psycopg.Connection[DictRow],
            kwargs={"row_factory": dict_row, "options": SESSION, "connect_timeout": CONNECT_SECONDS},
            min_size=0,
            max_size=max_size,
            open=False,
            timeout=patience_seconds,
            reconnect_timeout=patience_seconds,
            check=ConnectionPool.check_connection,
            configure=_accept_any_text,
            name="god",
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises UnreachableError when the server does not answer, StaleStateError when the schema refuses the change.
        """
        if not self._dsn:
            raise PrerequisiteError("no database is set: start the services with `god up`, or set GOD_DATABASE__DSN")
        with named_errors():
            self._pool.open()
            with self._pool.connection() as connection:
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """A transaction that only reads, all of it as of one moment."""
        with self.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    def close(self) -> None:
        self._pool.close()


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as e:
        raise UnreachableError(f"PostgreSQL does not answer ({e}); is it up? See `god status`") from e
    except psycopg.IntegrityError as e:
        raise StaleStateError(f"the database refuses the change: {e.diag.message_primary or e}") from e


def read(model: type[Model], row: DictRow, **more: Any) -> Model:
    """A row as a value: the columns that are its fields, and what more it has."""
    fields = {name: value for name, value in row.items() if name in model.model_fields}
    return model.model_validate(fields | more)


def as_stored(value: Any) -> Any:
    """A JSON value as `jsonb` gives it back, for comparing with what is there."""
    match value:
        case BaseModel():
            return as_stored(value.model_dump(mode="json"))
        case str():
            return _storable(value)
        case Mapping():
            return {as_stored(key): as_stored(item) for key, item in value.items()}
        case Sequence():
            return [as_stored(item) for item in value]
    return value


def jsonb(value: BaseModel | Mapping[Any, Any] | None) -> Jsonb | None:
    """A value as a `jsonb` parameter; None is NULL."""
    return None if value is None else Jsonb(as_stored(value))


def _storable(text: str) -> str:
    """Miners choose some of our texts; PostgreSQL takes neither NUL nor lone surrogates."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


class _StorableText(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(_storable(obj))


def _accept_any_text(connection: Transaction) -> None:
    connection.adapters.register_dumper(str, _StorableText)
