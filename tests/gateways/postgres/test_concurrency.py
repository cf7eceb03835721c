"""Many at once: every race has one winner, and nobody is served twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier
from typing import TypeVar

import pytest

from core.chain import Transfer
from core.compute import Lease
from core.errors import LeaseHeldError, NoCapacityError, StaleStateError
from core.evaluation import EvaluationPurpose
from core.ids import TrainingId
from core.tournament import RoundPlan, TournamentKind
from core.training import WorkStatus
from gateways.postgres.database import Database
from gateways.postgres.events import log
from tests import builders
from tests.gateways.postgres.conftest import PostgresStores

pytestmark = pytest.mark.postgres
Result = TypeVar("Result")
THREADS = 20


@pytest.fixture
def crowd(dsn: str) -> Iterator[PostgresStores]:
    """Stores with a connection for each thread."""
    database = Database(dsn, max_size=THREADS)
    yield PostgresStores.on(database)
    database.close()


@pytest.fixture
def training(plan: RoundPlan, postgres: PostgresStores) -> TrainingId:
    return postgres.tournaments.load(builders.TEXT_1).trainings[0].training_id


def at_once(count: int, act: Callable[[int], Result]) -> list[Result | Exception]:
    """What each of `count` threads got, starting together."""
    start = Barrier(count)

    def one(number: int) -> Result | Exception:
        start.wait()
        try:
            return act(number)
        except (StaleStateError, NoCapacityError) as e:
            return e

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_slot_is_never_leased_twice(crowd: PostgresStores) -> None:
    crowd.leases.register_slots(builders.slots(3))
    got = at_once(THREADS, lambda number: crowd.leases.acquire(f"owner {number}", "holder", 1, 60, 30))
    leases = [lease for lease in got if isinstance(lease, Lease)]
    assert len({lease.slots[0].resource for lease in leases}) == len(leases) == 3
    assert len({lease.token for lease in leases}) == 3
    assert sum(isinstance(refusal, NoCapacityError) for refusal in got) == THREADS - 3


def test_slots_of_two_machines_are_not_mixed(crowd: PostgresStores) -> None:
    crowd.leases.register_slots(builders.slots(3, "a") + builders.slots(3, "b"))
    got = at_once(6, lambda number: crowd.leases.acquire(f"owner {number}", "holder", 2, 60, 30))
    leases = [lease for lease in got if isinstance(lease, Lease)]
    assert sorted(len({slot.instance for slot in lease.slots}) for lease in leases) == [1, 1]


def test_one_owner_gets_one_lease_however_many_ask(crowd: PostgresStores) -> None:
    crowd.leases.register_slots(builders.slots(3))
    got = at_once(THREADS, lambda number: crowd.leases.acquire("owner", f"holder {number}", 1, 60, 30))
    assert sum(isinstance(lease, Lease) for lease in got) == 1
    assert sum(isinstance(refusal, LeaseHeldError) for refusal in got) == THREADS - 1


def test_leases_taken_and_given_back_in_a_hurry_leave_no_trace(crowd: PostgresStores) -> None:
    crowd.leases.register_slots(builders.slots(3))

    def take_and_give_back(number: int) -> None:
        for _ in range(5):
            crowd.leases.release(crowd.leases.acquire(f"owner {number}", "holder", 1, 60, 30))

    assert at_once(3, take_and_give_back) == [None] * 3
    assert crowd.leases.live_owners(30) == set()


def test_two_tournaments_of_a_kind_join(crowd: PostgresStores) -> None:
    opened = at_once(THREADS, lambda number: crowd.tournaments.open(builders.tournament(number + 1)))
    assert opened == [crowd.tournaments.latest(TournamentKind.TEXT)] * THREADS
    assert crowd.count("tournaments") == 1


def test_entries_and_rounds_are_recorded_once(crowd: PostgresStores) -> None:
    crowd.tournaments.open(builders.tournament())
    entries, seed = builders.entries(2), builders.sha256("seed")
    assert at_once(8, lambda _: crowd.tournaments.record_entries(builders.TEXT_1, entries, seed)) == [None] * 8
    plan = builders.round_plan(builders.contestants(1, 2))
    assert at_once(8, lambda _: crowd.tournaments.record_round(builders.TEXT_1, plan)) == [None] * 8
    assert (crowd.count("entries"), crowd.count("trainings")) == (2, 2)
    assert [event["event"] for event in crowd.events.since(0)] == ["opened", "entries recorded", "round drawn"]


def test_one_balance_pays_for_one_of_two_tournaments(crowd: PostgresStores) -> None:
    """Two kinds close at once, and each was judged while the money was there."""
    coldkey, fee = builders.coldkey(1), 200
    paid = Transfer(transfer_id="t", sender=coldkey, amount_rao=fee, block_number=1)
    crowd.ledger.deposit("5Collection", [paid], 0, 1)
    rules, kinds = {"fee_rao": fee}, list(TournamentKind)
    opened = [crowd.tournaments.open(builders.tournament(1, kind, rules=rules)).tournament_id for kind in kinds]
    seed, entries = builders.sha256("seed"), builders.entries(1)
    got = at_once(8, lambda number: crowd.tournaments.record_entries(opened[number % 2], entries, seed))
    assert {type(result) for result in got} == {type(None), StaleStateError}
    assert crowd.ledger.balances() == {coldkey: 0}
    assert sorted(crowd.tournaments.load(id_).tournament.status for id_ in opened) == ["active", "collecting"]


def test_a_transfer_that_many_read_at_once_is_entered_once(crowd: PostgresStores) -> None:
    transfers = [
        Transfer(transfer_id=f"t{n}", sender=builders.coldkey(n % 3), amount_rao=1, block_number=1) for n in range(30)
    ]
    assert at_once(THREADS, lambda _: crowd.ledger.deposit("5Collection", transfers, 0, 1)) == [None] * THREADS
    assert sum(crowd.ledger.balances().values()) == crowd.count("ledger") == 30


def test_fees_go_back_once_however_many_cancel(crowd: PostgresStores) -> None:
    crowd.ledger.deposit(
        "5Collection", [Transfer(transfer_id="t", sender=builders.coldkey(1), amount_rao=200, block_number=1)], 0, 1
    )
    id_ = crowd.tournaments.open(builders.tournament(rules={"fee_rao": 200})).tournament_id
    crowd.tournaments.record_entries(id_, builders.entries(1), builders.sha256("seed"))
    assert at_once(THREADS, lambda _: crowd.tournaments.cancel(id_, "too few entrants")) == [None] * THREADS
    assert crowd.ledger.balances() == {builders.coldkey(1): 200} and crowd.count("ledger") == 3


def test_the_newest_token_wins_and_there_is_one_attempt(crowd: PostgresStores, training: TrainingId) -> None:
    at_once(THREADS, lambda number: crowd.trainings.begin(training, builders.lease(number + 1)))
    assert [attempt.number for attempt in crowd.trainings.load(training).attempts] == [1]
    older = THREADS - 1
    with pytest.raises(StaleStateError, match=f"token {THREADS}"):
        crowd.trainings.record(training, older, builders.attempt_end(), builders.trained())
    crowd.trainings.record(training, THREADS, builders.attempt_end(), builders.trained())


def test_one_of_two_results_is_recorded(crowd: PostgresStores, training: TrainingId) -> None:
    crowd.trainings.begin(training, builders.lease(1))
    end = builders.attempt_end()
    got = at_once(8, lambda number: crowd.trainings.record(training, 1, end, builders.trained(number % 2)))
    assert {type(result) for result in got} == {type(None), StaleStateError}
    assert crowd.count("evaluations") == 1


def test_every_dispatch_is_counted(crowd: PostgresStores, training: TrainingId) -> None:
    counts = at_once(THREADS, lambda _: crowd.trainings.dispatched(training))
    assert sorted(map(int, counts)) == list(range(1, THREADS + 1))  # type: ignore[arg-type]


def test_every_request_gets_its_own_number(crowd: PostgresStores, plan: RoundPlan) -> None:
    challenge = plan.groups[0].challenges[0].challenge_id
    again = EvaluationPurpose.REEVALUATION

    def request(_: int) -> str:
        return crowd.evaluations.request(challenge, builders.checkpoint(), again, None, None, "local").evaluation_id

    assert sorted(at_once(THREADS, request)) == sorted(f"local-e{number}" for number in range(1, THREADS + 1))  # type: ignore[type-var]


def test_a_reader_of_events_misses_none(crowd: PostgresStores) -> None:
    """Ids become visible in order, so that going on from the last one seen is enough."""

    def say(event: str) -> None:
        with crowd.database.transaction() as transaction:
            log(transaction, "test:1", event)

    with ThreadPoolExecutor(1) as pool, crowd.database.transaction() as first:
        log(first, "test:1", "first")
        second = pool.submit(say, "second")
        assert wait([second], timeout=0.3).not_done, "the second got ahead of the first"
        assert crowd.events.since(0) == []
    assert [event["event"] for event in crowd.events.since(0)] == ["first", "second"]


def test_while_a_round_is_superseded_its_trainings_may_end_and_nothing_stays_open(crowd: PostgresStores) -> None:
    store, hands = crowd.tournaments, 8
    store.open(builders.tournament())
    store.record_entries(builders.TEXT_1, builders.entries(hands), builders.sha256("seed"))
    first = builders.round_plan(builders.contestants(*range(1, hands + 1)))
    store.record_round(builders.TEXT_1, first)
    closed = builders.round_result(first)
    store.close_round(closed)
    store.record_round(builders.TEXT_1, builders.round_plan(builders.contestants(*range(1, hands + 1)), number=2))
    trainings = [t.training_id for t in store.load(builders.TEXT_1).trainings if "-r2-" in t.training_id]
    for training in trainings:
        crowd.trainings.begin(training, builders.lease(1))
    others = [standing.model_copy(update={"advances": not standing.advances}) for standing in closed.standings]
    revised = closed.model_copy(update={"revision": 2, "standings": tuple(others)})

    def act(number: int) -> None:
        if number < hands:
            crowd.trainings.record(trainings[number], 1, builders.attempt_end(), builders.trained())
        else:
            store.close_round(revised)

    assert at_once(hands + 1, act)[hands] is None
    state = store.load(builders.TEXT_1)
    work = [w for w in (*state.trainings, *state.evaluations) if "-r2-" in w.challenge_id]
    assert {w.status for w in work} == {WorkStatus.DONE}
    assert all(attempt.ended_at for w in work for attempt in w.attempts)
