from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import CHAMPION, Contestant
from core.tournament import RoundType
from tests import builders
from tests.tournament.states import VALUES, active, by_skill, play
from tournament.rules import DEMO, Pairs

ONE, TWO, THREE = (Contestant(builders.hotkey(i)) for i in (1, 2, 3))
RULES = DEMO.model_copy(update={"pairs": Pairs(deciders=1), "training_noise": Decimal("0.01")})
"""One mean gain is decided when it is at least 1 %, two from 0.71 %."""


def played(first, second, rules=RULES):
    """A tournament of two; values by order of play."""
    values = {ONE: iter(first), TWO: iter(second)}
    memory: dict[tuple[str, str], float | str] = {}

    def loss(contestant, challenge):
        if contestant == CHAMPION:
            return 1.0
        return memory.setdefault((contestant, challenge), next(values[contestant], 1.0))

    return play(active(builders.entries(2), rules), rules, loss)


def through(state, round_=0):
    return {standing.contestant for standing in state.results[round_].standings if standing.advances}


def test_a_clear_pair_needs_one_challenge():
    state = played([0.9], [1.0])
    assert through(state) == {ONE} and state.rounds[1].plan.type is RoundType.TITLE


def test_an_undecided_pair_meets_again_and_both_challenges_count():
    state = played([1.0, 0.95], [0.995, 1.0])
    assert through(state, 0) == {ONE, TWO} and through(state, 1) == {ONE}
    assert [r.plan.type for r in state.rounds[:3]] == [RoundType.KNOCKOUT, RoundType.KNOCKOUT, RoundType.TITLE]
    assert state.results[1].standings[0].gap.against == TWO


@pytest.mark.parametrize(("clearance", "rounds"), [("0.5", 1), ("0.51", 2), ("1", 2), ("0", 1)])
def test_how_clear_a_pair_must_be_is_a_rule(clearance, rounds):
    """A gain of −ln 0.995 = 0.5013 % against a noise of 1 %."""
    rules = RULES.model_copy(update={"pairs": Pairs(deciders=1, clearance=Decimal(clearance))})
    state = played([0.995, 0.9], [1.0, 1.0], rules)
    assert len([r for r in state.rounds if r.plan.type is RoundType.KNOCKOUT]) == rounds


def test_after_the_last_decider_the_better_mean_goes_through():
    state = played([1.0, 0.999], [0.999, 1.0005])
    assert through(state, 1) == {ONE} and len(state.rounds) == 3


def test_classic_pairs_are_decided_by_one_challenge():
    assert through(played([1.0], [0.9999], DEMO)) == {TWO}


def test_equals_are_decided_by_seniority():
    assert through(played([1.0], [1.0], DEMO)) == {ONE}


@pytest.mark.parametrize("failure", ["crashed: exit code 1", "refused: not a fine-tune"])
def test_who_failed_never_beats_who_scored(failure):
    assert through(played([failure], [99.0])) == {TWO}
    assert through(played([0.999, failure], [1.0, 99.0]), 1) == {TWO}


def test_our_failure_costs_nobody_anything():
    state = played(["ours: lost", 1.0], [0.5, 0.9])
    assert through(state, 0) == {ONE, TWO} and through(state, 1) == {TWO}


@pytest.mark.parametrize(("first", "second"), [([], 1), ([(1.0, 0.999)], 2), ([(0.999, 1.0)], 1)])
def test_a_pair_that_we_keep_failing_at_comes_to_an_end(first, second):
    """After a first meeting that did not decide, that one decides after all; without any the earlier entry goes on."""
    lost = ["ours: lost"] * 20
    state = played([a for a, _ in first] + lost, [b for _, b in first] + [1.0] * 20)
    through_last = [s.contestant for s in state.results[-2].standings if s.advances]
    assert through_last == [Contestant(builders.hotkey(second))]
    assert len([r for r in state.rounds if r.plan.type is RoundType.KNOCKOUT]) == RULES.pairs.deciders + 4


def test_neither_goes_through_when_both_failed_by_themselves():
    state = played(["crashed"], ["crashed"])
    assert through(state) == set() and not state.tournament.title.changed_hands


def test_while_a_pair_meets_again_the_others_have_a_bye():
    entries = builders.entries(3)
    rules = RULES.model_copy(update={"knockout_limit": 14, "training_noise": Decimal("0.2")})
    skill = {ONE: 1.0, TWO: 1.01, THREE: 1.02, CHAMPION: 1.0}
    state = play(active(entries, rules), rules, by_skill(skill))
    again = state.rounds[1].plan
    assert sorted(len(group.members) for group in again.groups) == [1, 2]
    assert set(again.groups[0].members) == set(state.rounds[0].plan.groups[0].members)


@given(st.lists(VALUES, min_size=2, max_size=14))
def test_pairs_with_deciders_come_to_an_end_and_the_best_never_loses_by_a_coin(values):
    """Same values on every challenge: the better of each pair goes through, decider or not."""
    rules = RULES.model_copy(update={"knockout_limit": 14})
    skill = {Contestant(builders.hotkey(i)): v for i, v in enumerate(values, start=1)} | {CHAMPION: 1.0}
    state = play(active(builders.entries(len(values)), rules), rules, by_skill(skill))
    last = state.rounds[-1].plan
    challenger = next(member for member in last.groups[0].members if member != CHAMPION)
    assert skill[challenger] == min(values)
