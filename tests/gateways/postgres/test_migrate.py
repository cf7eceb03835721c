"""Migrations are applied once, in order, whole or not at all, and never edited."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from core.errors import PrerequisiteError, UnreachableError
from gateways.postgres.migrate import MIGRATIONS, migrate
from tests.postgres_server import SCHEMA, TestServer
from tournament.rules import DEMO, TournamentRules

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


OF_BEFORE = """
    INSERT INTO tournaments (tournament_id, kind, status, netuid, rules, opened_block, closing_block, seed, champion)
    VALUES ('text-0001', 'text', 'active', 1, '{}', 0, 1, repeat('5e', 32), '{}'),
           ('image-0001', 'image', 'active', 1, '{}', 0, 1, repeat('5e', 32), '{}');
    UPDATE tournaments SET status = 'halted', reason = 'the hub is away' WHERE kind = 'image';
    INSERT INTO rounds VALUES ('r', 'text-0001', 1, 'title', 'closed', now(), now());
    INSERT INTO groups VALUES ('g', 'r', 1);
    INSERT INTO group_members VALUES ('g', 'r', 1, 'champion');
    INSERT INTO challenges VALUES ('c', 'g', 1, 'InstructTextTask', 'planned', '{"challenge_id": "c"}');
    INSERT INTO trainings
           (training_id, challenge_id, contestant, hotkey, repository, "commit", tree, status, recorded_at, outcome)
    VALUES ('t', 'c', 'champion', 'h', 'r', repeat('5e', 20), '{}', 'done', now(),
            '{"type": "trained", "checkpoint": {}}');
    INSERT INTO evaluations (evaluation_id, subject, number, challenge_id, training_id, checkpoint, purpose, status,
                             recorded_at, outcome)
    VALUES ('t-e1', 't', 1, 'c', 't', '{}', 'tournament', 'done', now(),
            '{"type": "scored", "loss": 1.25, "answer_tokens": 7}');
    INSERT INTO round_results VALUES ('r', 1);
    INSERT INTO standings VALUES ('r', 1, 1, 'g', 'champion', 1, 1.25, true);
    UPDATE tournaments SET status = 'finished', finished_at = now(), title =
        '{"winner": "h", "challenges": [{"champion_loss": 1.25, "challenger_loss": null}, {"champion_loss": 2}]}'
     WHERE kind = 'text';
"""
OF_NOW = {
    "SELECT outcome, value FROM evaluations": ({"type": "scored", "value": 1.25, "weight": 7}, 1.25),
    "SELECT value, gap FROM standings": (1.25, None),
    "SELECT title -> 'challenges' FROM tournaments WHERE kind = 'text'": (
        [{"champion_value": 1.25, "challenger_value": None}, {"champion_value": 2, "challenger_value": None}],
    ),
    "SELECT title_revision, halted FROM tournaments WHERE kind = 'text'": (1, None),
    "SELECT revision, title ->> 'winner' FROM titles": (1, "h"),
    "SELECT title_revision, halted ->> 'cause' FROM tournaments WHERE kind = 'image'": (0, "platform"),
}


def test_what_was_recorded_before_is_said_in_the_words_of_now(empty_dsn: str, folder: Path) -> None:
    later = [path for path in sorted(folder.glob("*.sql")) if path.stem >= "0005"]
    texts = {path: path.read_text() for path in later}
    for path in later:
        path.unlink()
    migrate(empty_dsn, folder)
    with psycopg.connect(empty_dsn) as connection:
        connection.execute(OF_BEFORE)
    for path, text in texts.items():
        path.write_text(text)
    assert migrate(empty_dsn, folder) == [path.stem for path in later]
    with psycopg.connect(empty_dsn) as connection:
        assert {query: connection.execute(query.encode()).fetchone() for query in OF_NOW} == OF_NOW


def test_the_rules_of_older_tournaments_are_still_rules(empty_dsn: str, folder: Path) -> None:
    """0008: titles by a margin, emission by a named policy, bands of hours with their last row."""
    (folder / "0008_rules.sql").rename(folder / "later.hidden")
    migrate(empty_dsn, folder)
    old = DEMO.model_dump(mode="json", exclude={"title", "hours"}) | {
        "title_first": "0.02",
        "title_factor": "0.8",
        "title_floor": "0.01",
        "hours": [{"below_rows": band.most_rows + 1, "least": band.least, "most": band.most} for band in DEMO.hours],
    }
    del old["emission"]["policy"]
    insert = """INSERT INTO tournaments (tournament_id, kind, netuid, rules, opened_block, closing_block, champion)
                VALUES ('text-0001', 'text', 1, %s, 0, 1, '{}')"""
    with psycopg.connect(empty_dsn) as connection:
        connection.execute(insert, [Jsonb(old)])
        connection.execute(FINISHED)
    (folder / "later.hidden").rename(folder / "0008_rules.sql")
    migrate(empty_dsn, folder)
    with psycopg.connect(empty_dsn) as connection:
        (rules,) = connection.execute("SELECT rules FROM tournaments").fetchone()
    assert TournamentRules.model_validate(rules) == DEMO


FINISHED = f"""
    UPDATE tournaments SET status = 'finished', seed = '{"0" * 64}', finished_at = now(), title = '{{}}',
                           title_revision = 1"""


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="PostgreSQL does not answer"):
        migrate(f"host={tmp_path} dbname=god")


def test_the_dump_is_that_of_the_migrations(postgres_server: TestServer) -> None:
    assert SCHEMA.read_text() == postgres_server.dump_schema("god_template")


def test_what_was_there_before_the_ledger_is_kept(empty_dsn: str, folder: Path) -> None:
    """0006: since when a tournament is cancelled is known from its event; neurons are registered since block 0."""
    for path in folder.glob("*.sql"):
        if path.stem >= "0006":
            path.unlink()
    migrate(empty_dsn, folder)
    with psycopg.connect(empty_dsn) as connection:
        connection.execute(BEFORE_THE_LEDGER)
    migrate(empty_dsn)
    with psycopg.connect(empty_dsn) as connection:
        cancelled = connection.execute("SELECT cancelled_at::date::text FROM tournaments ORDER BY number").fetchall()
        neurons = connection.execute("SELECT uid, hotkey, stake_rao, block_number FROM chain_registrations").fetchall()
    assert cancelled == [("2030-01-02",), ("2030-01-03",), (None,)]
    assert neurons == [(0, "first", 5, 0), (1, "second", 7, 0)]


BEFORE_THE_LEDGER = """
    INSERT INTO tournaments (tournament_id, kind, status, netuid, rules, opened_block, closing_block, champion, reason,
                             opened_at)
    SELECT id, 'text', status::tournament_status, 1, '{}', 0, 1, '{}', reason, opened_at::timestamptz
      FROM (VALUES ('text-0001', 'cancelled', 'r', '2030-01-01'), ('text-0002', 'cancelled', 'r', '2030-01-03'),
                   ('text-0003', 'collecting', NULL, '2030-01-04')) AS t (id, status, reason, opened_at);
    INSERT INTO events (at, subject, event) VALUES ('2030-01-02', 'tournament:text-0001', 'cancelled');
    INSERT INTO chain_neurons VALUES (1, 1, 'second', 'c', 7), (1, 0, 'first', 'c', 5);
"""
