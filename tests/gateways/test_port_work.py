"""The life that trainings and evaluations share, kept by PostgreSQL and in memory alike."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from core.compute import Ending, Lease
from core.errors import Fault, StaleStateError
from core.evaluation import Evaluation
from core.ids import EvaluationId, TrainingId, evaluation_id
from core.training import Attempt, AttemptEnd, Training, WorkStatus
from tests import builders
from tests.gateways.conftest import Stores

TOKEN = 5
LEASE = builders.lease(TOKEN)


@dataclass(frozen=True)
class Work:
    """One queued training or evaluation, and the calls on it."""

    subject: str
    load: Callable[[], Training | Evaluation]
    dispatched: Callable[[], int]
    begin: Callable[[Lease], Attempt]
    started: Callable[[int, datetime], None]
    end_attempt: Callable[[int, AttemptEnd], None]
    record: Callable[[int, AttemptEnd | None], None]
    record_otherwise: Callable[[int, AttemptEnd | None], None]
    """With another outcome."""


def training_work(stores: Stores, training: TrainingId) -> Work:
    port = stores.trainings
    return Work(
        subject=f"training:{training}",
        load=lambda: port.load(training),
        dispatched=lambda: port.dispatched(training),
        begin=lambda lease: port.begin(training, lease),
        started=lambda token, at: port.started(training, token, at),
        end_attempt=lambda token, end: port.end_attempt(training, token, end),
        record=lambda token, end: port.record(training, token, end, builders.training_failed()),
        record_otherwise=lambda token, end: port.record(training, token, end, builders.trained()),
    )


def evaluation_work(stores: Stores, training: TrainingId) -> Work:
    stores.trainings.begin(training, builders.lease())
    stores.trainings.record(training, 1, builders.attempt_end(), builders.trained())
    name, port = evaluation_id(training, 1), stores.evaluations
    return Work(
        subject=f"evaluation:{name}",
        load=lambda: port.load(name),
        dispatched=lambda: port.dispatched(name),
        begin=lambda lease: port.begin(name, lease)[-1],
        started=lambda token, at: port.started(name, token, at),
        end_attempt=lambda token, end: port.end_attempt(name, token, end),
        record=lambda token, end: port.record(name, token, end, builders.scored(), builders.report()),
        record_otherwise=lambda token, end: port.record(name, token, end, builders.refused(), None),
    )


@pytest.fixture(params=[training_work, evaluation_work], ids=["training", "evaluation"])
def work(request: pytest.FixtureRequest, stores: Stores, training: TrainingId) -> Work:
    return request.param(stores, training)  # type: ignore[no-any-return]


def refuses(call: Callable[..., Any], *args: Any) -> None:
    with pytest.raises(StaleStateError):
        call(*args)


def test_work_that_never_was_is_an_error(stores: Stores) -> None:
    refuses(stores.trainings.load, TrainingId("text-0001-r1-g1-c1-nobody"))
    refuses(stores.evaluations.load, EvaluationId("text-0001-r1-g1-c1-nobody-e1"))
    refuses(stores.trainings.begin, TrainingId("text-0001-r1-g1-c1-nobody"), LEASE)
    refuses(stores.evaluations.begin, EvaluationId("text-0001-r1-g1-c1-nobody-e1"), LEASE)


def test_dispatches_are_counted(stores: Stores, work: Work) -> None:
    assert work.load().dispatches == 0
    with stores.tells_of(work.subject):
        assert work.dispatched() == 1
    assert work.dispatched() == 2
    assert work.load().dispatches == 2
    assert work.load().dispatched_at is not None


def test_beginning_opens_the_first_attempt_on_the_leased_slot(stores: Stores, work: Work) -> None:
    with stores.tells_of(work.subject):
        attempt = work.begin(LEASE)
    assert attempt.number == 1
    assert attempt.subject_id == work.subject.partition(":")[2]
    assert (attempt.instance, attempt.slot) == (LEASE.slots[0].instance, LEASE.slots[0].resource)
    assert (attempt.started_at, attempt.ended_at, attempt.ending) == (None, None, None)
    assert (work.load().status, work.load().attempts) == (WorkStatus.RUNNING, (attempt,))


def test_beginning_again_under_the_same_lease_changes_nothing(stores: Stores, work: Work) -> None:
    attempt = work.begin(LEASE)
    with stores.tells_nothing():
        assert work.begin(LEASE) == attempt
    assert work.load().attempts == (attempt,)


def test_a_successor_goes_on_with_the_open_attempt(stores: Stores, work: Work) -> None:
    attempt = work.begin(LEASE)
    work.started(TOKEN, builders.at(1))
    with stores.tells_of(work.subject):
        adopted = work.begin(builders.lease(TOKEN + 1, holder="successor"))
    assert adopted == attempt.model_copy(update={"started_at": builders.at(1)})
    assert work.load().attempts == (adopted,)


def test_an_overtaken_holder_changes_nothing(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    work.begin(builders.lease(TOKEN + 1, holder="successor"))
    before = work.load()
    with stores.tells_nothing():
        refuses(work.begin, LEASE)
        refuses(work.started, TOKEN, builders.at(1))
        refuses(work.end_attempt, TOKEN, builders.attempt_end())
        refuses(work.record, TOKEN, builders.attempt_end())
    assert work.load() == before


def test_a_token_that_was_never_given_changes_nothing(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    before = work.load()
    with stores.tells_nothing():
        refuses(work.started, TOKEN + 1, builders.at(1))
        refuses(work.end_attempt, TOKEN + 1, builders.attempt_end())
        refuses(work.record, TOKEN + 1, builders.attempt_end())
    assert work.load() == before


def test_the_containers_start_is_recorded_once(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    with stores.tells_of(work.subject):
        work.started(TOKEN, builders.at(1))
    with stores.tells_nothing():
        work.started(TOKEN, builders.at(1))
    refuses(work.started, TOKEN, builders.at(2))
    assert work.load().attempts[0].started_at == builders.at(1)


def test_nothing_starts_without_an_open_attempt(work: Work) -> None:
    refuses(work.started, 0, builders.at(1))
    work.begin(LEASE)
    work.end_attempt(TOKEN, builders.attempt_end(Ending.LOST))
    refuses(work.started, TOKEN, builders.at(30))


def test_an_ended_attempt_puts_the_work_back_in_the_queue(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    work.started(TOKEN, builders.at(1))
    end = builders.attempt_end(Ending.LOST, detail="the supervisor vanished")
    with stores.tells_of(work.subject):
        work.end_attempt(TOKEN, end)
    queued = work.load()
    assert (queued.status, queued.outcome) == (WorkStatus.QUEUED, None)
    assert AttemptEnd.model_validate(queued.attempts[0].model_dump(include=set(AttemptEnd.model_fields))) == end
    assert queued.attempts[0].fault is Fault.PLATFORM


def test_an_attempt_ends_once(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    work.end_attempt(TOKEN, builders.attempt_end(Ending.LOST))
    with stores.tells_nothing():
        work.end_attempt(TOKEN, builders.attempt_end(Ending.LOST))
    refuses(work.end_attempt, TOKEN, builders.attempt_end(Ending.CRASHED))
    assert [attempt.ending for attempt in work.load().attempts] == [Ending.LOST]


def test_an_end_does_not_forget_a_start_that_it_does_not_know(work: Work) -> None:
    work.begin(LEASE)
    work.started(TOKEN, builders.at(1))
    work.end_attempt(TOKEN, builders.attempt_end(Ending.LOST, started_at=None))
    assert work.load().attempts[0].started_at == builders.at(1)


def test_the_next_attempt_follows_the_ended_one(work: Work) -> None:
    first = work.begin(LEASE)
    work.end_attempt(TOKEN, builders.attempt_end(Ending.LOST))
    second = work.begin(builders.lease(TOKEN + 1, instance="other"))
    assert (second.number, second.instance) == (2, "other")
    assert second.run_name != first.run_name
    assert [attempt.ended_at is None for attempt in work.load().attempts] == [False, True]


def test_a_fenced_holder_stays_fenced_while_the_work_is_queued(work: Work) -> None:
    work.begin(builders.lease(TOKEN + 1))
    work.end_attempt(TOKEN + 1, builders.attempt_end(Ending.LOST))
    refuses(work.begin, LEASE)
    assert work.load().status is WorkStatus.QUEUED


def test_an_outcome_ends_the_attempt_and_the_work(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    with stores.tells_of(work.subject):
        work.record(TOKEN, builders.attempt_end())
    done = work.load()
    assert (done.status, done.attempts[0].ending) == (WorkStatus.DONE, Ending.FINISHED)
    assert done.outcome is not None and done.recorded_at is not None


def test_an_outcome_is_recorded_once(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    work.record(TOKEN, builders.attempt_end())
    done = work.load()
    with stores.tells_nothing():
        work.record(TOKEN, builders.attempt_end())
        for end in (builders.attempt_end(), None):
            refuses(work.record_otherwise, TOKEN, end)
    assert work.load() == done


def test_done_work_is_not_touched_again(stores: Stores, work: Work) -> None:
    work.begin(LEASE)
    work.record(TOKEN, builders.attempt_end())
    done = work.load()
    with stores.tells_nothing():
        refuses(work.begin, builders.lease(TOKEN + 1))
        refuses(work.begin, LEASE)
        refuses(work.started, TOKEN, builders.at(40))
        refuses(work.end_attempt, TOKEN, builders.attempt_end(Ending.LOST))
        refuses(work.dispatched)
    assert work.load() == done


def test_an_attempt_without_a_container_run_ends_without_an_ending(work: Work) -> None:
    work.begin(LEASE)
    work.record(TOKEN, None)
    attempt = work.load().attempts[0]
    assert attempt.ended_at is not None
    assert (attempt.ending, attempt.started_at) == (None, None)


def test_an_outcome_may_follow_an_attempt_that_ended_before(work: Work) -> None:
    work.begin(LEASE)
    work.end_attempt(TOKEN, builders.attempt_end(Ending.CRASHED))
    work.record(TOKEN, None)
    assert (work.load().status, len(work.load().attempts)) == (WorkStatus.DONE, 1)


def test_an_end_without_an_open_attempt_is_refused(work: Work) -> None:
    work.begin(LEASE)
    work.end_attempt(TOKEN, builders.attempt_end(Ending.CRASHED))
    refuses(work.record, TOKEN, builders.attempt_end(Ending.LOST))
    assert work.load().status is WorkStatus.QUEUED
