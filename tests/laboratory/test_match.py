"""The vectorised rounds and title matches decide as the rules themselves do."""

from decimal import Decimal
from math import exp

import numpy as np
import pytest
from scipy import stats

from core.challenge import ChallengeKind
from core.ids import CHAMPION, Contestant
from core.tournament import RoundType
from laboratory.contest import best_of, play_until_clear
from laboratory.match import affordable, by_margin, by_pool, measured_gains, play_titles
from laboratory.world import World
from tests import builders
from tests.tournament.states import active, play
from tournament.boundaries import BOUNDARIES, Boundary
from tournament.pooled import judge_gains
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, DEMO, MarginTitle, Pairs, PooledTitle

ONE, TWO = (Contestant(builders.hotkey(i)) for i in (1, 2))
WIDE = PooledTitle(most_gain=Decimal(1), floor=Decimal(0), futility=Decimal(-1))
"""Nothing but the boundaries decides."""


def rounded(values):
    """Gains that a decimal and a float say alike."""
    return np.round(values, 6)


@pytest.mark.parametrize("boundary", [BOUNDARIES[0], BOUNDARIES[-1]], ids=["smallest alpha", "largest alpha"])
@pytest.mark.parametrize("early", [True, False], ids=["with early stopping", "at the last look"])
def test_the_pooled_test_is_the_rules_own(boundary, early):
    rng = np.random.default_rng(5)
    scales = rng.choice([0.001, 0.004, 0.016, 0.05], (400, 1))
    gains = rounded(rng.choice([-0.01, 0.0, 0.01, 0.02, 0.04], (400, 1)) + scales * rng.standard_normal((400, 18)))
    rule = PooledTitle(boundaries=(boundary,))
    if not early:
        rule = rule.model_copy(
            update={"looks": (18,), "boundaries": (Boundary(alpha=boundary.alpha, critical=boundary.critical[-1:]),)}
        )
    verdicts = by_pool(gains, PooledTitle(boundaries=(boundary,)), boundary, early)
    most = rule.most_gain
    for row, changed, challenges in zip(gains, *verdicts, strict=True):
        exact = [max(-most, min(most, Decimal(repr(float(gain))))) for gain in row]
        ends = next(look for look in rule.looks if judge_gains(exact[:look], rule).is_decided)
        assert (judge_gains(exact, rule).takes, ends) == (changed, challenges)
    assert 50 < verdicts.changed.sum() < 350


def test_the_margin_follows_the_streak_as_the_rules_own():
    rules = DEMO.model_copy(
        update={"title": MarginTitle(), "title_kinds": (ChallengeKind.INSTRUCT,) * 6, "minimum_entrants": 1}
    )
    gains = rounded(np.random.default_rng(7).normal(0.06, 0.05, (4, 12, 6)))
    changed = by_margin(gains, rules.title).changed
    for season in range(4):
        streak = 1
        for tournament in range(12):
            takes = title_of(gains[season, tournament], rules, streak)
            assert takes == changed[season, tournament], (season, tournament)
            streak = 1 if takes else streak + 1
    assert 0 < changed.sum() < changed.size


def title_of(gains, rules, streak):
    """The title match of a tournament with one entrant, played by the rules."""
    losses = iter([exp(-gain) for gain in gains])
    state = active(builders.entries(1), rules, champion=builders.champion(streak=streak))
    ended = play(state, rules, lambda contestant, _: 1.0 if contestant == CHAMPION else next(losses))
    return ended.tournament.title.changed_hands


@pytest.mark.parametrize("deciders", [0, 1, 2])
def test_pairs_are_the_rules_own(deciders):
    pairs = Pairs(deciders=deciders, clearance=Decimal("0.5"))
    rules = DEMO.model_copy(update={"pairs": pairs, "training_noise": Decimal("0.01")})
    gains = rounded(np.random.default_rng(deciders).normal(0, 0.008, (1 + deciders, 60)))
    mean, challenges = play_until_clear(list(gains), pairs, 0.01)
    for pair in range(60):
        losses = iter([exp(-gain) for gain in gains[:, pair]])
        state = play(active(builders.entries(2), rules), rules, only(ONE, losses))
        met = [round_ for round_ in state.rounds if round_.plan.type is RoundType.KNOCKOUT]
        assert len(met) == challenges[pair]
        assert (state.tournament.title.challenger == ONE) == (mean[pair] > 0)


def only(contestant, losses):
    """Everybody has a loss of 1, but for the first challenges of one contestant."""
    return lambda who, _: next(losses, 1.0) if who == contestant else 1.0


def test_groups_are_the_rules_own():
    rules = DEMO.model_copy(update={"knockout_limit": 2, "group_advance": 2})
    for merits in rounded(np.random.default_rng(9).normal(0, 0.01, (20, 1, 6))):
        members = np.arange(6.0)[None]
        losses = {Contestant(builders.hotkey(i + 1)): exp(-merit) for i, merit in enumerate(merits[0])}
        state = play(active(builders.entries(6), rules), rules, lambda who, _, of=losses: of.get(who, 1.0))
        through = {standing.contestant for standing in state.results[0].standings if standing.advances}
        assert through == {builders.hotkey(int(i) + 1) for i in best_of(members, merits, 2)[0]}


@pytest.mark.parametrize("sd", [0.0005, 0.01, 0.2])
def test_equals_are_dethroned_at_the_stated_rate_whatever_the_scatter(sd):
    boundary, matches = BOUNDARIES[-1], 300_000
    gains = sd * np.random.default_rng(11).standard_normal((matches, WIDE.looks[-1]), dtype=np.float32)
    found, expected = by_pool(gains, WIDE, boundary).changed.sum(), float(boundary.alpha) * matches
    assert abs(found - expected) < 4 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("seed_noise", "challenges", "alpha", "gain", "power"),
    [
        (0.003, 5, 0.05, 0.01, 0.75),
        (0.003, 5, 0.01, 0.01, 0.35),
        (0.003, 9, 0.01, 0.01, 0.79),
        (0.006, 5, 0.05, 0.02, 0.97),
        (0.006, 5, 0.01, 0.02, 0.73),
        (0.006, 9, 0.01, 0.01, 0.57),
        (0.012, 5, 0.05, 0.02, 0.75),
        (0.012, 5, 0.01, 0.02, 0.34),
        (0.012, 9, 0.01, 0.02, 0.79),
        (0.012, 9, 0.01, 0.01, 0.23),
    ],
)
def test_the_published_simulation_of_fixed_tests_is_met(seed_noise, challenges, alpha, gain, power):
    """anchors.md, Appendix B: 4,000 repetitions of heavy-tailed examples; here their mean is normal."""
    critical = Decimal(repr(float(stats.t.isf(alpha, challenges - 1))))
    boundary = Boundary(alpha=Decimal(repr(alpha)), critical=(critical,))
    rule = PooledTitle(looks=(challenges,), boundaries=(boundary,), most_gain=Decimal(1))
    gains = measured_gains(np.full(20_000, gain), challenges, World(seed_noise=seed_noise), np.random.default_rng(3))
    assert by_pool(gains, rule, boundary).changed.mean() == pytest.approx(power, abs=0.03)


def test_who_fails_everywhere_never_takes_the_title_and_never_keeps_it():
    always = World(failure_rate=1.0)
    rng = np.random.default_rng(1)
    for rules in (CLASSIC_TEXT, CALIBRATED_TEXT):
        both_failed = measured_gains(np.full((2, 3), 0.5), 18, always, rng)[..., : 6 if rules is CLASSIC_TEXT else 18]
        assert not play_titles(both_failed, rules, always).changed.any()
        for gain, changes in ((np.inf, True), (-np.inf, False)):
            assert (play_titles(np.full(both_failed.shape, gain), rules, always).changed == changes).all()


@pytest.mark.parametrize(
    ("days", "alpha"), [(1.0, "0.0001369"), (6.9, "0.0006849"), (7.02, "0.0009589"), (365, "0.0019178")]
)
def test_the_budget_pays_for_the_largest_alpha_that_it_covers(days, alpha):
    assert affordable(PooledTitle(), days).alpha == Decimal(alpha)


def test_less_than_the_smallest_alpha_buys_nothing():
    with pytest.raises(ValueError, match=r"0\.5 days"):
        affordable(PooledTitle(), 0.5)
