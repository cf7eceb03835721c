"""Migrations are applied once, in order, whole or not at all, and never edited."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from core.errors import PrerequisiteError, UnreachableError
from gateways.postgres.migrate import MIGRATIONS, migrate
from tests.postgres_server import SCHEMA, TestServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty_dsn(postgres_server: TestServer) -> Iterator[str]:
    with postgres_server.database("template0") as dsn:
        yield dsn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped migrations, to be changed."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


def test_the_second_time_there_is_nothing_to_do(empty_dsn: str) -> None:
    assert migrate(empty_dsn) == sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    assert migrate(empty_dsn) == []


def test_two_at_once_wait_for_each_other(empty_dsn: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate, [empty_dsn] * 4))
    assert sorted(map(len, applied)) == [0, 0, 0, len(list(MIGRATIONS.glob("*.sql")))]


def test_a_new_migration_is_applied_alone(empty_dsn: str, folder: Path) -> None:
    migrate(empty_dsn, folder)
    (folder / "9999_more.sql").write_text("CREATE TABLE more (number integer);")
    assert migrate(empty_dsn, folder) == ["9999_more"]


def test_an_edited_migration_is_refused(empty_dsn: str, folder: Path) -> None:
    migrate(empty_dsn, folder)
    edited = folder / "0001_tournaments.sql"
    edited.write_text(edited.read_text() + "-- harmless, says its author\n")
    with pytest.raises(PrerequisiteError, match=r"0001_tournaments\.sql was edited"):
        migrate(empty_dsn, folder)


def test_a_database_ahead_of_the_code_is_refused(empty_dsn: str, folder: Path) -> None:
    (folder / "9999_future.sql").write_text("SELECT 1;")
    migrate(empty_dsn, folder)
    with pytest.raises(PrerequisiteError, match="9999_future"):
        migrate(empty_dsn)


def test_a_failing_migration_leaves_nothing_behind(empty_dsn: str, folder: Path) -> None:
    (folder / "9999_broken.sql").write_text("CREATE TABLE half_done (number integer); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_dsn, folder)
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)
    (folder / "9999_broken.sql").write_text("CREATE TABLE half_done (number integer);")
    assert migrate(empty_dsn, folder) == ["9999_broken"]


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="PostgreSQL does not answer"):
        migrate(f"host={tmp_path} dbname=god")


def test_the_dump_is_that_of_the_migrations(postgres_server: TestServer) -> None:
    assert SCHEMA.read_text() == postgres_server.dump_schema("god_template")
