"""Forward-only migrations: numbered SQL files, each applied once, in its own transaction.

A migration that has shipped is never edited: its checksum is kept, and a difference stops everything.
"""

import hashlib
from pathlib import Path

import psycopg

from core.errors import PrerequisiteError
from gateways.postgres.database import CONNECT_SECONDS, named_errors
from gateways.postgres.queries import FOLDER, queries

MIGRATIONS = FOLDER / "migrations"
_SQL = queries("migrate")


def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and return its names. Two at once wait for each other.

    Raises PrerequisiteError when a shipped migration was edited or the database is ahead of this code, and
    UnreachableError when the server does not answer.
    """
    with named_errors(), psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        connection.execute(_SQL["lock"])
        connection.execute(_SQL["create_table"])
        missing = _missing(dict(connection.execute(_SQL["applied"]).fetchall()), folder)
        for path in missing:
            _apply(connection, path)
        return [path.stem for path in missing]


def _missing(applied: dict[str, str], folder: Path) -> list[Path]:
    shipped = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    if unknown := set(applied) - {path.stem for path in shipped}:
        raise PrerequisiteError(f"the database is ahead of this code (migration {max(unknown)}): update the code")
    for path in shipped:
        if applied.get(path.stem, _checksum(path)) != _checksum(path):
            raise PrerequisiteError(f"migration {path.name} was edited after it shipped: restore it, write a new one")
    return [path for path in shipped if path.stem not in applied]


def _apply(connection: psycopg.Connection, path: Path) -> None:
    with connection.transaction():
        connection.execute(path.read_bytes())
        connection.execute(_SQL["record"], {"name": path.stem, "checksum": _checksum(path)})


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
