from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.challenge import ChallengeKind, Direction
from core.ids import CHAMPION, Contestant
from core.tournament import TitleChallenge, Tournament, TournamentState
from tests import builders
from tests.tournament.states import EVERYTHING, active, all_of, by_skill, play
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, DEMO, MarginTitle
from tournament.title import as_decimal, next_champion, performance_difference, threshold, title_gain

ONE = Contestant(builders.hotkey(1))
TWO = Contestant(builders.hotkey(2))


@pytest.mark.parametrize(
    ("streak", "margin"),
    [(0, "0.125"), (1, "0.10"), (2, "0.08"), (3, "0.064"), (4, "0.0512"), (5, "0.04096"), (6, "0.032768"), (7, "0.03")],
)
def test_the_margin_falls_with_the_streak(streak, margin):
    """reference §1.12: 12.5 %, 10 %, 8 %, 6.4 %, 5.12 %, 4.096 %, 3.2768 %, then 3 %."""
    assert threshold(streak, CLASSIC_TEXT.title) == Decimal(margin)


def _match(champion: float | str, challenger: float | str, streak: int = 1) -> TournamentState:
    """A title match of miner 1 under a margin of 10 %."""
    rules = DEMO.model_copy(update={"title": MarginTitle(first=Decimal("0.10")), "minimum_entrants": 1})
    state = active(builders.entries(1), rules, champion=builders.champion(streak=streak))
    return play(state, rules, by_skill({CHAMPION: champion, ONE: challenger}))


@pytest.mark.parametrize(
    ("champion", "challenger", "changes"),
    [
        (1.0, 0.95, False),
        (1.0, 0.899999, True),
        (1.0, "crashed", False),
        ("crashed", 3.0, True),
        ("crashed", "crashed", False),
        ("refused: not a fine-tune", 3.0, True),
        (1.0, 1.0, False),
        (0.0, 0.0, False),
    ],
)
def test_who_takes_the_title(champion, challenger, changes):
    title = _match(champion, challenger).tournament.title
    assert title.changed_hands is changes
    assert title.winner == (builders.hotkey(1) if changes else builders.champion().hotkey)


def test_the_margin_is_exact():
    """0.45 is exactly at most 0.9 × 0.5 as floats are; one ulp more is not."""
    from math import nextafter

    bound = float(Fraction(1, 2) * (1 - Fraction("0.10")))
    at_bound = bound if Fraction(bound) <= Fraction(9, 20) else nextafter(bound, 0)
    assert _match(0.5, at_bound).tournament.title.changed_hands
    assert not _match(0.5, nextafter(at_bound, 1)).tournament.title.changed_hands


@pytest.mark.parametrize(
    ("kind", "champion", "challenger", "changes"),
    [
        (ChallengeKind.INSTRUCT, 8.0, 7.0, True),
        (ChallengeKind.INSTRUCT, 8.0, 7.000001, False),
        (ChallengeKind.GRPO, 8.0, 9.0, True),
        (ChallengeKind.GRPO, 8.0, 8.999999, False),
        (ChallengeKind.GRPO, -8.0, -7.0, True),
        (ChallengeKind.GRPO, -8.0, -7.000001, False),
        (ChallengeKind.GRPO, 0.0, 0.0, False),
        (ChallengeKind.GRPO, 0.0, 0.000001, True),
    ],
)
def test_the_margin_itself_is_enough_whatever_the_sign(kind, champion, challenger, changes):
    """An eighth, over the code that the first tournament starts with."""
    rules = all_of(kind, CLASSIC_TEXT)
    state = active(builders.entries(1), rules, champion=builders.champion(streak=0))
    state = play(state, rules, by_skill({CHAMPION: champion, ONE: challenger}), catalogue=EVERYTHING)
    assert state.tournament.title.changed_hands is changes


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), min_size=3, max_size=3))
def test_a_title_changes_only_by_a_strict_majority(pairs):
    def loss(contestant, challenge):
        champion, challenger = pairs[int(challenge[-1]) - 1]
        return champion if contestant == CHAMPION else challenger

    rules = DEMO.model_copy(update={"minimum_entrants": 1})
    state = play(active(builders.entries(1), rules, champion=builders.champion(streak=1)), rules, loss)
    keep = 1 - Fraction(threshold(1, rules.title))
    wins = sum(Fraction(challenger) <= Fraction(champion) * keep for champion, challenger in pairs)
    assert state.tournament.title.changed_hands is (wins >= 2)


@pytest.mark.parametrize(
    ("losses", "changes"),
    [([0.5] * 3 + [1.0] * 3, False), ([0.5] * 4 + [1.0] * 2, True), (["ours: lost"] * 6, False)],
    ids=["half", "more than half", "none counts"],
)
def test_half_of_the_challenges_is_no_majority(losses, changes):
    rules = all_of(ChallengeKind.INSTRUCT, CLASSIC_TEXT)

    def loss(contestant, challenge):
        return 1.0 if contestant == CHAMPION else losses[int(challenge[-1]) - 1]

    state = play(active(builders.entries(1), rules), rules, loss, catalogue=EVERYTHING)
    assert state.tournament.title.changed_hands is changes


def test_performance_difference_is_the_median_gain():
    """reference §5.8: (b − c) / c, median, challenges with one side missing left out."""
    title = _match(1.2, 1.0).tournament.title
    assert Decimal(title.performance_difference) == Decimal("0.2")
    assert performance_difference([], DEMO) == 0


@pytest.mark.parametrize(
    ("champion", "classic", "ours"), [(0.5, "0.5", "0.25"), (-0.5, "0", "1.25"), (0.0, "0", "0.75")]
)
def test_the_gain_of_a_score(champion, classic, ours):
    """reference §5.8: relative, and 0 where the champion's is not positive; under our rules the difference."""
    match = TitleChallenge(
        challenge_id="c",
        direction=Direction.SCORE,
        champion_value=champion,
        challenger_value=0.75,
        winner=ONE,
        why="by hand",
    )
    assert performance_difference([match], CLASSIC_TEXT) == Decimal(classic)
    assert performance_difference([match], CALIBRATED_TEXT) == Decimal(ours)


@given(st.fractions(-10, 10))
def test_the_rounding_is_stated(value):
    assert abs(Fraction(as_decimal(value)) - value) <= Fraction(1, 2 * 10**12)


def test_the_winner_defends_next_with_the_code_that_won():
    state = _match(1.0, 0.5, streak=4)
    champion = next_champion(state)
    entry = state.entries[0]
    assert (champion.hotkey, champion.tree, champion.commit) == (entry.hotkey, entry.tree, entry.commit)
    assert champion.streak == 1 and champion.won == state.tournament.tournament_id


def test_a_defender_keeps_its_code_and_its_streak_grows():
    state = _match(1.0, 2.0, streak=4)
    assert next_champion(state) == state.tournament.champion.model_copy(update={"streak": 5})


def test_a_champion_who_wins_with_newer_code_keeps_the_streak():
    """reference §9.7 no. 73: the same miner winning again as challenger was treated as a defence."""
    rules = DEMO.model_copy(update={"minimum_entrants": 1})
    champion = builders.champion(1, tree=builders.source("old"), streak=3)
    state = play(active(builders.entries(1), rules, champion=champion), rules, by_skill({CHAMPION: 2.0, ONE: 1.0}))
    after = next_champion(state)
    assert state.tournament.title.changed_hands
    assert (after.streak, after.tree) == (4, builders.source(1))


def _finished(number: int, **title: object) -> Tournament:
    return builders.tournament(number, title=builders.title_result(**title))


def test_the_gain_of_a_title_is_that_of_the_match_that_won_it():
    won = _finished(1, challenger=1)
    defended = _finished(2, challenger=2, champion=1, changed_hands=False)
    assert title_gain([defended, won]) == (2, won.title.performance_difference)
    newer = won.title.model_copy(update={"performance_difference": "0.125", "champion": won.title.winner})
    assert title_gain([defended, _finished(3).model_copy(update={"title": newer}), won]) == (3, "0.125")
    assert title_gain([defended]) == (1, "0")


def test_a_loss_beyond_all_bounds_cannot_hold_the_title():
    """A champion whose frozen code returns a model of enormous loss is dethroned like any other."""
    title = _match(1e300, 1e-300).tournament.title
    assert title.changed_hands and Decimal(title.performance_difference) > 10**500
