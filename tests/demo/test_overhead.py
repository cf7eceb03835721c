import pytest

from core.compute import Ending
from core.training import WorkStatus
from demo.overhead import container_seconds, overhead_seconds, overhead_seconds_per_step
from tests import builders as b
from tests.demo.states import GROUP, attempt, finished, trained


def state_of(*trainings):
    return finished().model_copy(update={"trainings": trainings, "evaluations": ()})


def test_from_dispatch_to_start_and_from_end_to_record():
    assert overhead_seconds(state_of(trained(GROUP, 1, dispatched=10, started=13, ended=43, recorded=44.5))) == [4.5]


def test_waiting_for_the_slot_is_not_ours():
    first = trained(GROUP, 1, dispatched=0, started=2, ended=32, recorded=33)
    second = trained(GROUP, 2, dispatched=0, started=36, ended=66, recorded=67)
    assert overhead_seconds(state_of(first, second)) == [3, 5]


def test_another_slots_work_makes_nobody_wait():
    first = trained(GROUP, 1, dispatched=0, started=2, ended=32, recorded=33)
    other = trained(GROUP, 2, 0, 36, 66, 67, attempts=(attempt("two", "slot/local/1", 36, 66),))
    assert overhead_seconds(state_of(first, other)) == [3, 37]


def test_work_without_a_container_or_a_record_is_left_out():
    refused = trained(GROUP, 1, 0, 1, 2, 3, attempts=(attempt("one", None, None, 2),))
    running = b.training(
        GROUP, 2, status=WorkStatus.RUNNING, dispatched_at=b.at(0), attempts=(attempt("two", started=1),)
    )
    assert overhead_seconds(state_of(refused, running, b.training(GROUP, 3))) == []
    assert overhead_seconds_per_step(state_of(refused, running)) is None


def test_only_the_deciding_attempt_counts_and_earlier_ones_took_its_slot():
    lost = attempt("one", "slot/local/0", 1, 20).model_copy(update={"ending": Ending.LOST})
    again = attempt("one", "slot/local/0", 24, 54).model_copy(update={"number": 2})
    training = trained(GROUP, 1, 0, 24, 54, 55, attempts=(lost, again))
    assert overhead_seconds(state_of(training)) == [5]
    assert container_seconds([training]) == 49


def test_the_mean_is_over_trainings_and_evaluations():
    state = finished()
    costs = overhead_seconds(state)
    assert costs == [3, 4, 3, 2, 3, 2, 2, 2, 2]
    assert overhead_seconds_per_step(state) == pytest.approx(sum(costs) / 9)
    assert (container_seconds(state.trainings), container_seconds(state.evaluations)) == (81, 8)


def test_a_run_that_two_evaluations_share_counts_once():
    owner, member = (attempt(name, "slot/local/0", 5, 15) for name in ("one-e1", "two-e1"))
    shared = member.model_copy(update={"shared_run": owner.run_name})
    works = [b.evaluation(name, GROUP, attempts=(each,)) for name, each in (("one", owner), ("two", shared))]
    assert container_seconds(works) == 10


def test_waiting_for_the_challenges_turn_is_not_ours():
    first, second = (
        b.evaluation(
            name,
            GROUP,
            dispatched_at=b.at(0),
            recorded_at=b.at(ended + 1),
            attempts=(attempt(f"{name}-e1", slot, ended - 10, ended),),
        )
        for name, slot, ended in (("one", "slot/local/0", 12), ("two", "slot/local/1", 24))
    )
    state = finished().model_copy(update={"trainings": (), "evaluations": (first, second)})
    assert overhead_seconds(state) == [3, 3]
