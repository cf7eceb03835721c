"""What a contestant reached on a challenge, or why there is no value and by whose fault."""

import pytest

from core.challenge import ChallengeKind, Direction
from core.errors import Fault
from core.evaluation import Reward
from core.ids import Contestant
from tests import builders
from tests.tournament.states import EVERYTHING, active, all_of, played, prepared, with_round
from tournament.programme import draw_round
from tournament.rules import CLASSIC_TEXT
from tournament.scoring import difference, results_of

GRPO = ChallengeKind.GRPO
ONE, TWO, THREE, FOUR, FIVE = (Contestant(builders.hotkey(number)) for number in range(1, 6))
GROUP_OF_FIVE = {"knockout_limit": 4, "group_advance": 2}


def results(values, kind=ChallengeKind.INSTRUCT, disqualified=(), **changes):
    """Of a group of five, the miners that are not named with a value of 1."""
    rules = all_of(kind, CLASSIC_TEXT).model_copy(update={**GROUP_OF_FIVE, **changes})
    state = active(builders.entries(5), rules)
    state = prepared(with_round(state, draw_round(state, 1, rules, EVERYTHING)))
    state = played(state, lambda contestant, _: values.get(contestant, 1.0))
    state = state.model_copy(update={"disqualified": dict.fromkeys(disqualified, "copied")})
    return results_of(state, state.challenges[0].challenge_id, rules)


def rewarded(reward: float):
    return builders.scored(0.0).model_copy(update={"rewards": (Reward(name="a", weight=1.0, mean=reward),)})


@pytest.mark.parametrize(
    ("loss", "value", "fault", "is_void"),
    [
        (0.7, 0.7, None, False),
        ("crashed: exit code 1", None, Fault.MINER, False),
        ("refused: not a fine-tune", None, Fault.MINER, False),
        ("ours: lost", None, Fault.PLATFORM, True),
        ("ours, refused: no report", None, Fault.PLATFORM, True),
    ],
)
def test_every_outcome_is_a_value_or_somebodys_fault(loss, value, fault, is_void):
    result = results({ONE: loss})[ONE]
    assert (result.value, result.fault, result.is_void) == (value, fault, is_void)
    assert result.reason == (None if value else loss)


@pytest.mark.parametrize("kind", [ChallengeKind.INSTRUCT, ChallengeKind.DPO, GRPO])
@pytest.mark.parametrize("loss", [0.7, "crashed", "refused: not a fine-tune"])
def test_the_challenges_kind_says_which_way_is_better(kind, loss):
    expected = Direction.SCORE if kind is GRPO else Direction.LOSS
    assert results({ONE: loss}, kind)[ONE].direction is expected


@pytest.mark.parametrize("loss", [0.7, "ours: lost"])
def test_the_disqualified_have_no_value_by_their_own_fault(loss):
    result = results({ONE: loss}, disqualified=[ONE])[ONE]
    assert (result.value, result.merit, result.fault) == (None, None, Fault.MINER)
    assert result.reason == "disqualified: copied"


def test_the_cohort_is_who_has_a_value():
    """6 of 8 and 8 of 8: neither the disqualified with a reward of 80, nor who failed, is in it."""
    values = {ONE: rewarded(6.0), TWO: rewarded(8.0), THREE: rewarded(80.0), FOUR: "crashed", FIVE: "ours: lost"}
    scored = results(values, GRPO, disqualified=[THREE], cohort_rewards=True)
    assert {c: r.value for c, r in scored.items()} == {ONE: 0.75, TWO: 1.0, THREE: None, FOUR: None, FIVE: None}


def test_losses_and_other_rule_sets_know_no_cohort():
    values = dict.fromkeys((ONE, TWO, THREE, FOUR, FIVE), rewarded(6.0))
    assert results(values, GRPO)[ONE].value == 0.0
    assert results(values, cohort_rewards=True)[ONE].value == 0.0


def test_nothing_is_decided_while_an_outcome_is_missing():
    rules = all_of(ChallengeKind.INSTRUCT, CLASSIC_TEXT).model_copy(update=GROUP_OF_FIVE)
    state = active(builders.entries(5), rules)
    state = with_round(state, draw_round(state, 1, rules, EVERYTHING))
    with pytest.raises(ValueError, match="has no outcome yet"):
        results_of(state, state.challenges[0].challenge_id, rules)
    trained = played(prepared(state), lambda *_: 1.0).model_copy(update={"evaluations": ()})
    with pytest.raises(ValueError, match="is not evaluated yet"):
        results_of(trained, state.challenges[0].challenge_id, rules)


def test_an_evaluation_measured_again_is_compared_to_the_last_bit():
    def measured(outcome):
        return builders.evaluation("t", "c", outcome=outcome)

    assert difference(measured(builders.scored(0.1)), measured(builders.scored(0.1))).is_equal
    assert not difference(measured(builders.scored(0.1)), measured(builders.scored(0.1 + 1e-16))).is_equal
    assert difference(measured(builders.refused()), measured(builders.refused("other words"))).is_equal
    assert not difference(measured(builders.scored(0.1)), measured(builders.refused())).is_equal
