import pytest

from core.compute import Ending
from core.errors import Fault
from core.training import Attempt, Trained, TrainingFailed
from tests import builders
from tournament.attempts import Again, GiveUp, fault_of, judge_evaluation_attempt, judge_training
from tournament.rules import CLASSIC_TEXT, DEMO


def past(ending: Ending, fault: Fault, number: int = 1) -> Attempt:
    return Attempt(subject_id="t", number=number, instance="local", begun_at=builders.NOW, ending=ending, fault=fault)


def judge(ending, *, saved=False, earlier=(), rules=DEMO):
    checkpoint = builders.checkpoint() if saved else None
    return judge_training(ending, "detail", checkpoint, None if saved else "there is no folder", earlier, rules)


@pytest.mark.parametrize("ending", [Ending.FINISHED, Ending.TIME_UP])
def test_what_was_saved_counts(ending):
    """reference §4: a checkpoint already in the output folder when the clock stops it still counts."""
    assert judge(ending, saved=True) == Trained(checkpoint=builders.checkpoint())


@pytest.mark.parametrize("ending", [Ending.FINISHED, Ending.TIME_UP])
def test_exit_zero_with_nothing_saved_is_a_failure(ending):
    """reference §9.5 no. 61."""
    verdict = judge(ending)
    assert isinstance(verdict, TrainingFailed) and verdict.fault is Fault.MINER and "no output" in verdict.reason


def test_who_answers_for_an_end_without_output():
    assert [fault_of(ending, False, []) for ending in (Ending.FINISHED, Ending.TIME_UP)] == [Fault.MINER] * 2
    assert [fault_of(ending, True, []) for ending in (Ending.FINISHED, Ending.TIME_UP)] == [None] * 2


@pytest.mark.parametrize("ending", [Ending.CRASHED, Ending.OUT_OF_MEMORY, Ending.OUTPUT_TOO_LARGE])
@pytest.mark.parametrize("saved", [True, False])
def test_the_miners_own_failures(ending, saved):
    verdict = judge(ending, saved=saved)
    assert isinstance(verdict, TrainingFailed) and verdict.fault is Fault.MINER and str(ending) in verdict.reason


@pytest.mark.parametrize("ending", [Ending.LOST, Ending.REFUSED])
@pytest.mark.parametrize("saved", [True, False])
def test_our_failures_never_cost_the_miner_an_attempt(ending, saved):
    earlier = [past(ending, Fault.PLATFORM, i) for i in range(1, 10)]
    verdict = judge(ending, saved=saved, earlier=earlier)
    assert isinstance(verdict, Again) and verdict.fault is Fault.PLATFORM
    after = judge(Ending.FINISHED, saved=True, earlier=earlier)
    assert isinstance(after, Trained)


def test_two_attempts_that_the_miner_fails():
    assert isinstance(judge(Ending.CRASHED, rules=CLASSIC_TEXT), Again)
    failed = judge(Ending.CRASHED, earlier=[past(Ending.CRASHED, Fault.MINER)], rules=CLASSIC_TEXT)
    assert isinstance(failed, TrainingFailed)


def test_platform_attempts_are_not_counted_among_the_miners():
    """reference §9.4 no. 43."""
    earlier = [past(Ending.LOST, Fault.PLATFORM), past(Ending.LOST, Fault.PLATFORM, 2)]
    assert isinstance(judge(Ending.CRASHED, earlier=earlier, rules=CLASSIC_TEXT), Again)


def test_a_kill_of_unknown_origin_is_ours_once():
    assert judge(Ending.KILLED) == Again(Fault.PLATFORM, "killed: detail")
    again = judge(Ending.KILLED, earlier=[past(Ending.KILLED, Fault.PLATFORM)])
    assert isinstance(again, TrainingFailed) and again.fault is Fault.MINER


def test_our_failures_end_with_the_operator_and_without_an_outcome():
    earlier = [past(Ending.LOST, Fault.PLATFORM, i) for i in range(1, DEMO.platform_attempts)]
    assert isinstance(judge(Ending.LOST, earlier=earlier), GiveUp)
    assert isinstance(judge_evaluation_attempt(Ending.CRASHED, "d", earlier, DEMO), GiveUp)
    assert isinstance(judge_evaluation_attempt(Ending.CRASHED, "d", earlier[:-1], DEMO), Again)
