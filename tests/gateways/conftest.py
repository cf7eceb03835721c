"""The stores of both kinds, and the stages of a tournament that the port tests start from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from core.ids import ChallengeId, Contestant, TournamentId, TrainingId, training_id
from core.ports import Evaluations, Events, Leases, Ledger, Tournaments, Trainings, Weights
from core.tournament import RoundPlan
from gateways.memory import (
    MemoryEvaluations,
    MemoryEvents,
    MemoryLeases,
    MemoryLedger,
    MemoryTournaments,
    MemoryTrainings,
    MemoryWeights,
    World,
)
from gateways.postgres.database import Database
from tests import builders

BACKENDS = ["memory", pytest.param("postgres", marks=pytest.mark.postgres)]


@dataclass(frozen=True)
class Stores:
    """The stores of one kind on one state, empty at first."""

    tournaments: Tournaments
    trainings: Trainings
    evaluations: Evaluations
    leases: Leases
    weights: Weights
    ledger: Ledger
    events: Events
    pass_time: Callable[[float], None]
    """Make all leases that many seconds older."""

    def told(self) -> list[tuple[str, str]]:
        """Subject and event of everything that happened."""
        return [(event["subject"], event["event"]) for event in self.events.since(0)]

    @contextmanager
    def tells_of(self, subject: str) -> Iterator[None]:
        """What happens inside leaves an event of this subject."""
        before = len(self.told())
        yield
        assert subject in [told for told, _ in self.told()[before:]]

    @contextmanager
    def tells_nothing(self) -> Iterator[None]:
        before = self.told()
        yield
        assert self.told() == before


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def memory_stores() -> Stores:
    clock = HandClock()
    world = World(clock)
    return Stores(
        tournaments=MemoryTournaments(world),
        trainings=MemoryTrainings(world),
        evaluations=MemoryEvaluations(world),
        leases=MemoryLeases(world),
        weights=MemoryWeights(world),
        ledger=MemoryLedger(world),
        events=MemoryEvents(world),
        pass_time=clock.advance,
    )


def postgres_stores(database: Database) -> Stores:
    from gateways.postgres.evaluations import PostgresEvaluations
    from gateways.postgres.events import PostgresEvents
    from gateways.postgres.leases import PostgresLeases
    from gateways.postgres.ledger import PostgresLedger
    from gateways.postgres.tournaments import PostgresTournaments
    from gateways.postgres.trainings import PostgresTrainings
    from gateways.postgres.weights import PostgresWeights

    def pass_time(seconds: float) -> None:
        with database.transaction() as transaction:
            transaction.execute(_AGE_LEASES, {"seconds": seconds})

    return Stores(
        tournaments=PostgresTournaments(database),
        trainings=PostgresTrainings(database),
        evaluations=PostgresEvaluations(database),
        leases=PostgresLeases(database),
        weights=PostgresWeights(database),
        ledger=PostgresLedger(database),
        events=PostgresEvents(database),
        pass_time=pass_time,
    )


_AGE_LEASES = """
UPDATE leases SET acquired_at  = acquired_at  - make_interval(secs => %(seconds)s),
                  heartbeat_at = heartbeat_at - make_interval(secs => %(seconds)s),
                  expires_at   = expires_at   - make_interval(secs => %(seconds)s)
"""


@pytest.fixture(params=BACKENDS)
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        return memory_stores()
    return postgres_stores(request.getfixturevalue("database"))


@pytest.fixture
def active(stores: Stores) -> TournamentId:
    """A tournament with the accepted entries of the miners 1 to 4; nothing is drawn."""
    tournament = stores.tournaments.open(builders.tournament())
    stores.tournaments.record_entries(tournament.tournament_id, builders.entries(4), builders.sha256("seed"))
    return tournament.tournament_id


@pytest.fixture
def drawn(stores: Stores, active: TournamentId) -> RoundPlan:
    """Its first round: the miners 1 and 2 in one group, 3 and 4 in another."""
    plan = builders.round_plan(builders.contestants(1, 2), builders.contestants(3, 4), tournament=active)
    stores.tournaments.record_round(active, plan)
    return plan


@pytest.fixture
def challenge(drawn: RoundPlan) -> ChallengeId:
    """The first group's challenge."""
    return drawn.groups[0].challenges[0].challenge_id


@pytest.fixture
def training(challenge: ChallengeId) -> TrainingId:
    """Miner 1's training on it, queued."""
    return training_id(challenge, Contestant(builders.hotkey(1)))
