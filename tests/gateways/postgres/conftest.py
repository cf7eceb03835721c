"""The PostgreSQL stores on one database, and a tournament in them."""

from dataclasses import dataclass

import pytest

from core.tournament import RoundPlan
from gateways.postgres.database import Database
from gateways.postgres.evaluations import PostgresEvaluations
from gateways.postgres.events import PostgresEvents
from gateways.postgres.leases import PostgresLeases
from gateways.postgres.ledger import PostgresLedger
from gateways.postgres.tournaments import PostgresTournaments
from gateways.postgres.trainings import PostgresTrainings
from gateways.postgres.weights import PostgresWeights
from tests import builders


@dataclass(frozen=True)
class PostgresStores:
    database: Database
    tournaments: PostgresTournaments
    trainings: PostgresTrainings
    evaluations: PostgresEvaluations
    leases: PostgresLeases
    weights: PostgresWeights
    ledger: PostgresLedger
    events: PostgresEvents

    @classmethod
    def on(cls, database: Database) -> "PostgresStores":
        return cls(
            database=database,
            tournaments=PostgresTournaments(database),
            trainings=PostgresTrainings(database),
            evaluations=PostgresEvaluations(database),
            leases=PostgresLeases(database),
            weights=PostgresWeights(database),
            ledger=PostgresLedger(database),
            events=PostgresEvents(database),
        )

    def count(self, table: str) -> int:
        with self.database.transaction() as transaction:
            return int(transaction.execute(f"SELECT count(*) AS n FROM {table}".encode()).fetchall()[0]["n"])


@pytest.fixture
def postgres(database: Database) -> PostgresStores:
    return PostgresStores.on(database)


@pytest.fixture
def plan(postgres: PostgresStores) -> RoundPlan:
    """The first round of an active tournament: the miners 1 and 2 against each other on one challenge."""
    return play_to_first_round(postgres)


def play_to_first_round(postgres: PostgresStores) -> RoundPlan:
    postgres.tournaments.open(builders.tournament())
    postgres.tournaments.record_entries(builders.TEXT_1, builders.entries(3), builders.sha256("seed"))
    plan = builders.round_plan(builders.contestants(1, 2))
    postgres.tournaments.record_round(builders.TEXT_1, plan)
    return plan
