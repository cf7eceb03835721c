"""Connections: lazily made, checked when taken, and their errors named."""

import pytest

from core.errors import PrerequisiteError, UnreachableError
from core.tournament import RoundPlan
from gateways.postgres.database import Database
from tests import builders
from tests.gateways.postgres.conftest import PostgresStores
from tests.postgres_server import TestServer

pytestmark = pytest.mark.postgres
HOSTILE = "NUL \0, a lone surrogate \ud800, and a quote ' with a \\u0000"


def test_without_an_address_the_remedy_is_named() -> None:
    with pytest.raises(PrerequisiteError, match="god up"), Database("").transaction():
        pass


def test_a_server_that_is_not_there_is_unreachable(postgres_server: TestServer) -> None:
    nowhere = Database("host=/nonexistent dbname=god", patience_seconds=0.2)
    with pytest.raises(UnreachableError), nowhere.transaction():
        pass
    nowhere.close()


def test_a_killed_server_is_unreachable_and_survived_once_it_is_back(
    postgres_server: TestServer, dsn: str, plan: RoundPlan, database: Database
) -> None:
    hasty = PostgresStores.on(Database(dsn, patience_seconds=0.5))
    before = hasty.tournaments.load(builders.TEXT_1)
    postgres_server.kill()
    try:
        with pytest.raises(UnreachableError):
            hasty.tournaments.load(builders.TEXT_1)
    finally:
        postgres_server.start()
    assert hasty.tournaments.load(builders.TEXT_1) == before
    assert PostgresStores.on(database).tournaments.load(builders.TEXT_1) == before
    hasty.database.close()


def test_a_server_killed_inside_a_transaction_leaves_nothing_of_it(
    postgres_server: TestServer, postgres: PostgresStores
) -> None:
    try:
        with pytest.raises(UnreachableError), postgres.database.transaction() as transaction:
            transaction.execute("INSERT INTO events (subject, event) VALUES ('test:1', 'half said')")
            postgres_server.kill()
            transaction.execute("INSERT INTO events (subject, event) VALUES ('test:1', 'said')")
    finally:
        postgres_server.start()
    assert postgres.events.since(0) == []


def test_an_error_inside_takes_everything_back(postgres: PostgresStores) -> None:
    with pytest.raises(RuntimeError), postgres.database.transaction() as transaction:
        transaction.execute("INSERT INTO events (subject, event) VALUES ('test:1', 'said')")
        raise RuntimeError("midway")
    assert postgres.events.since(0) == []


def test_a_snapshot_sees_one_moment_and_writes_nothing(postgres: PostgresStores) -> None:
    count = "SELECT count(*) AS n FROM tournaments"
    with postgres.database.snapshot() as snapshot:
        before = snapshot.execute(count).fetchone()
        postgres.tournaments.open(builders.tournament())
        assert snapshot.execute(count).fetchone() == before
    with pytest.raises(Exception, match="read-only"), postgres.database.snapshot() as snapshot:
        snapshot.execute("DELETE FROM tournaments")


def test_words_that_miners_choose_are_stored_whatever_they_are(postgres: PostgresStores) -> None:
    entry = builders.refused_entry(1, reason=HOSTILE).model_copy(update={"repository": HOSTILE, "commit": HOSTILE})
    postgres.tournaments.open(builders.tournament())
    for _ in range(2):
        postgres.tournaments.record_entries(builders.TEXT_1, [entry], builders.sha256("seed"))
    assert postgres.tournaments.load(builders.TEXT_1).entries[0].repository == (
        "NUL \N{REPLACEMENT CHARACTER}, a lone surrogate ?, and a quote ' with a \\u0000"
    )


def test_hostile_words_in_an_outcome_are_the_same_when_said_again(postgres: PostgresStores, plan: RoundPlan) -> None:
    training = postgres.tournaments.load(builders.TEXT_1).trainings[0].training_id
    lease = builders.lease(1)
    postgres.trainings.begin(training, lease)
    for _ in range(2):
        end = builders.attempt_end(detail=HOSTILE)
        postgres.trainings.record(training, lease.token, end, builders.training_failed(HOSTILE))
    assert "\0" not in postgres.trainings.load(training).attempts[0].detail
