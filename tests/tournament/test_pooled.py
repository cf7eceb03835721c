"""The pooled title test: its arithmetic, its looks, and its error rate under equal strength."""

from decimal import Decimal
from fractions import Fraction
from random import Random
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.challenge import Direction
from core.errors import Fault
from core.ids import CHAMPION, MIRROR, Contestant
from core.tournament import RoundType, TournamentStatus
from tests import builders
from tests.tournament.states import CATALOGUE, active, play
from tournament.boundaries import Boundary
from tournament.pooled import boundary_of, clipped, judge_gains
from tournament.pooled import test_of as published_test
from tournament.programme import draw_round
from tournament.rules import CALIBRATED_TEXT, DEMO, PooledTitle
from tournament.scoring import Result

SMALL = PooledTitle(
    looks=(3, 5),
    boundaries=(Boundary(alpha=Decimal("0.05"), critical=(Decimal("4.0"), Decimal("2.5"))),),
    futility=Decimal("0.003"),
    alpha=Decimal("0.05"),
)
RULES = DEMO.model_copy(update={"name": "small", "title": SMALL, "minimum_entrants": 1})
ONE = Contestant(builders.hotkey(1))
decimals = st.decimals("-0.05", "0.05", places=6)


def gains(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


@pytest.mark.parametrize(
    ("values", "is_decided", "takes"),
    [
        (("0.02", "0.02"), False, False),
        (("0.02", "0.021", "0.019"), True, True),
        (("0.02", "0.021", "0.001"), False, False),
        (("0.001", "0.002", "0.003"), True, False),
        (("-0.02", "-0.021", "-0.019"), True, False),
        (("0.02", "0.021", "0.001", "0.02", "0.02"), True, True),
        (("0.03", "-0.01", "0.02", "0.03", "-0.03"), True, False),
        (("0.0041", "0.0041", "0.0041"), False, False),
        (("0.05", "0.05", "0.05"), True, True),
    ],
    ids=["before", "clear", "undecided", "futile", "worse", "second look", "noise", "below the floor", "no spread"],
)
def test_looks(values, is_decided, takes):
    verdict = judge_gains(gains(*values), SMALL)
    assert (verdict.is_decided, verdict.takes) == (is_decided, takes), verdict.why


def test_the_boundary_is_exact():
    """mean 0.02, s.d. 0.01: mean × √3 / s.d. = 3.4641…; a boundary on either side decides otherwise."""
    values = gains("0.01", "0.02", "0.03")
    for critical, takes in (("3.4641016151377", True), ("3.4641016151378", False)):
        boundary = Boundary(alpha=Decimal("0.05"), critical=(Decimal(critical), Decimal("2.5")))
        assert judge_gains(values, SMALL.model_copy(update={"boundaries": (boundary,)})).takes is takes


@given(st.lists(decimals, min_size=3, max_size=5), st.integers(0, 4), st.decimals("0", "0.05", places=6))
def test_a_verdict_only_depends_on_the_gains_up_to_its_look(values, position, other):
    verdict = judge_gains(values[:3], SMALL)
    if verdict.is_decided:
        assert judge_gains(values, SMALL) == verdict


@given(st.lists(decimals, min_size=5, max_size=5))
def test_who_is_behind_on_average_never_takes_the_title(values):
    if judge_gains(values, SMALL).takes:
        assert any(sum(values[:look]) / look >= SMALL.floor for look in SMALL.looks)


@given(st.lists(decimals, min_size=5, max_size=5))
def test_what_is_published_is_the_test_itself(values):
    test = published_test(values, SMALL)
    entered = values[: test.challenges]
    assert float(test.mean_gain) == pytest.approx(float(mean(entered)), abs=1e-11)
    assert float(test.standard_deviation) == pytest.approx(stdev(map(float, entered)), abs=1e-9)
    if test.statistic is not None and float(test.standard_deviation) > 1e-6:
        takes = Decimal(test.statistic) >= Decimal(test.critical) and Decimal(test.mean_gain) >= SMALL.floor
        assert takes is judge_gains(values, SMALL).takes
        assert (Decimal(test.low) >= 0) is (Decimal(test.statistic) >= Decimal(test.critical))


@pytest.mark.parametrize(
    ("champion", "challenger", "gain"),
    [
        (1.0, 0.99, "0.010050335854"),
        (1.0, 0.5, "0.05"),
        (1.0, 2.0, "-0.05"),
        (None, 3.0, "0.05"),
        (3.0, None, "-0.05"),
        (None, None, "0"),
    ],
)
def test_a_challenge_counts_for_at_most_its_most(champion, challenger, gain):
    pair = [Result(Contestant(str(i)), value, fault=Fault.MINER) for i, value in enumerate((champion, challenger))]
    assert clipped(*pair, SMALL) == Decimal(gain)


def test_scores_gain_by_their_difference_even_below_zero():
    """reference §9.2 no. 24: a champion at −0.2 was easier to beat for a margin multiplied with it."""
    boss, rival = (Result(Contestant(n), v, direction=Direction.SCORE) for n, v in (("b", -0.2), ("r", -0.21)))
    assert clipped(boss, rival, SMALL) < 0


def test_every_alpha_has_a_critical_value_for_each_look():
    title = CALIBRATED_TEXT.title
    assert isinstance(title, PooledTitle)
    alphas = [boundary.alpha for boundary in title.boundaries]
    assert alphas == sorted(set(alphas))
    for boundary in title.boundaries:
        assert len(boundary.critical) == len(title.looks)
        assert list(boundary.critical) == sorted(boundary.critical, reverse=True)


def test_the_largest_alpha_that_the_budget_affords_is_used():
    rungs = tuple(Boundary(alpha=Decimal(a), critical=(Decimal(9), Decimal(9))) for a in ("0.001", "0.01"))
    title = SMALL.model_copy(update={"boundaries": rungs})
    at = {alpha: boundary_of(title.model_copy(update={"alpha": Decimal(alpha)})) for alpha in ("0.0005", "0.005", "1")}
    assert [b and str(b.alpha) for b in at.values()] == [None, "0.001", "0.01"]
    assert not judge_gains(gains(*["0.05"] * 5), title.model_copy(update={"alpha": Decimal("0.0005")})).takes


def played(loss, rules=RULES, **changes):
    """A title match of miner 1, who came through alone."""
    return play(active(builders.entries(1), rules, **changes), rules, loss)


def losses_of(values):
    """Challenger's losses in order of play against a champion at 1."""
    left = iter(values)
    memory: dict[str, float] = {}

    def loss(contestant, challenge):
        if contestant in (CHAMPION, MIRROR):
            return 1.0
        return memory.setdefault(challenge, next(left))

    return loss


def test_an_undecided_match_goes_on_for_another_round():
    state = played(losses_of([0.98, 0.979, 0.999, 0.98, 0.98]))
    assert [r.plan.type for r in state.rounds] == [RoundType.TITLE] * 2
    assert [len(r.plan.groups[0].challenges) for r in state.rounds] == [3, 2]
    title = state.tournament.title
    assert title.changed_hands and title.test.challenges == 5 and len(title.challenges) == 5


def test_a_clear_match_ends_early():
    state = played(losses_of([0.98, 0.979, 0.981]))
    assert len(state.rounds) == 1 and state.tournament.title.changed_hands
    assert state.tournament.title.test.alpha == "0.05"


def test_a_futile_match_ends_early_and_the_champion_stays():
    state = played(losses_of([1.0, 1.001, 0.999]))
    assert len(state.rounds) == 1 and not state.tournament.title.changed_hands
    assert state.tournament.title.winner == builders.champion().hotkey


def test_a_challenge_that_we_fail_at_is_played_again():
    state = played(losses_of([0.98, "ours: lost", 0.979, 0.981]))
    assert [len(r.plan.groups[0].challenges) for r in state.rounds] == [3, 1]
    title = state.tournament.title
    assert title.changed_hands and [c.winner is None for c in title.challenges] == [False, True, False, False]


def test_a_match_that_we_always_fail_at_has_an_end():
    state = played(losses_of(["ours: lost"] * 60), RULES.model_copy(update={"title": SMALL}))
    assert state.tournament.status in (TournamentStatus.FINISHED, TournamentStatus.HALTED)
    assert state.tournament.title is None or not state.tournament.title.changed_hands


def test_the_mirror_plays_along_and_wins_nothing():
    rules = RULES.model_copy(update={"title": SMALL.model_copy(update={"duel": True})})
    assert draw_round(active(builders.entries(1), rules), 1, rules, CATALOGUE).groups[0].members == (
        CHAMPION,
        ONE,
        MIRROR,
    )

    def loss(contestant, challenge):
        return {CHAMPION: 1.0, ONE: 1.001, MIRROR: 0.5}[contestant]

    title = played(loss, rules).tournament.title
    assert title.winner == builders.champion().hotkey and not title.changed_hands
    assert all(float(challenge.mirror_gain) == pytest.approx(0.693147, abs=1e-6) for challenge in title.challenges)


@given(st.floats(1e-4, 0.01), st.integers(0, 2**32))
def test_the_false_alarm_rate_is_alpha_whatever_the_noise(noise, seed):
    """400 matches of equals at α = 5 %: more than 40 titles would come once in ten million tries (binomial)."""
    random = Random(seed)
    title = SMALL.model_copy(update={"boundaries": (T_TEST,), "floor": Decimal(0), "futility": Decimal("-1")})
    wins = sum(judge_gains([Decimal(repr(random.gauss(0, noise))) for _ in range(5)], title).takes for _ in range(400))
    assert wins <= 45


T_TEST = Boundary(alpha=Decimal("0.05"), critical=(Decimal("10"), Decimal("2.2")))
"""At 5 challenges the 5 % point of t with 4 degrees of freedom is 2.132; the first look spends almost nothing."""


def test_the_mean_is_exact_for_any_number_of_gains():
    third = gains("0.01", "0.01", "0.02")
    assert Fraction(4, 300) == sum(map(Fraction, third)) / 3
    assert published_test(third, SMALL).mean_gain == "0.013333333333"


def test_the_mirror_plays_the_first_round_of_the_match_alone():
    rules = RULES.model_copy(update={"title": SMALL.model_copy(update={"duel": True})})
    state = played(losses_of([0.98, 0.979, 0.999, 0.98, 0.98]), rules)
    assert [len(r.plan.groups[0].members) for r in state.rounds] == [3, 2]
    assert [c.mirror_gain for c in state.tournament.title.challenges] == ["0.000000000000"] * 3 + [None] * 2
