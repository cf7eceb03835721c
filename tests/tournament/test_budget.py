from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from core.ids import CHAMPION
from core.tournament import TitleChallenge, TournamentStatus
from tests import builders
from tournament.budget import alpha_of, is_duel_due, with_budget
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, YEAR_BLOCKS, PooledTitle

TITLE = PooledTitle()


def finished(number, closing_block, **changes):
    title = builders.title_result().model_copy(update=changes)
    return builders.tournament(
        number, status=TournamentStatus.FINISHED, opened_block=0, closing_block=closing_block, title=title
    )


def test_the_first_match_may_spend_a_weeks_share():
    assert alpha_of([], 10**6, TITLE) == Decimal("0.000958904110")


def test_what_accrued_since_the_last_match_may_be_spent():
    assert alpha_of([finished(1, 0)], YEAR_BLOCKS // 73, TITLE) == Decimal("0.000684931507")


def test_it_accrues_from_closing_block_to_closing_block():
    assert alpha_of([finished(1, 50_400)], 2 * 50_400, TITLE) == alpha_of([], 0, TITLE)


def test_more_than_a_years_budget_never_accrues():
    assert alpha_of([finished(1, 0)], YEAR_BLOCKS, TITLE) == TITLE.boundaries[-1].alpha
    assert alpha_of([finished(1, 0)], 2 * YEAR_BLOCKS, TITLE) == TITLE.boundaries[-1].alpha


def test_a_tournament_without_a_match_spends_nothing():
    history = [finished(2, 5000, challenger=None), finished(1, 0)]
    assert alpha_of(history, 10_000, TITLE) == alpha_of(history[1:], 10_000, TITLE)


@given(st.lists(st.integers(1, YEAR_BLOCKS // 3), min_size=1, max_size=60))
def test_no_year_spends_more_than_its_budget(distances):
    """But for the 14 days' worth that the first match of a window may bring along, however many matches there are."""
    blocks, history, spent = 0, [finished(0, 0)], []
    for number, distance in enumerate(distances, start=1):
        blocks += distance
        spent.append((blocks, alpha_of(history, blocks, TITLE)))
        history = [finished(number, blocks), *history]
    for end, _ in spent:
        inside = [alpha for block, alpha in spent if end - YEAR_BLOCKS < block <= end]
        assert sum(inside) <= TITLE.alpha_per_year + TITLE.boundaries[-1].alpha + Decimal("1e-10")


def test_the_duel_is_due_once_in_so_many_blocks():
    mirrored = TitleChallenge(
        challenge_id="c", champion_value=1.0, challenger_value=1.0, winner=CHAMPION, why="", mirror_gain="0.001"
    )
    history = [finished(1, 1000, challenges=(mirrored,))]
    assert is_duel_due([], 0, TITLE)
    assert not is_duel_due(history, 1000 + TITLE.duel_blocks - 1, TITLE)
    assert is_duel_due(history, 1000 + TITLE.duel_blocks, TITLE)
    later = [finished(2, 2000, challenges=(mirrored,)), *history]
    assert not is_duel_due(later, 2000 + TITLE.duel_blocks - 1, TITLE)
    assert not is_duel_due([], 0, TITLE.model_copy(update={"duel_blocks": None}))


def test_terms_are_copied_into_the_rules_of_the_tournament_that_opens():
    rules = with_budget(CALIBRATED_TEXT, [], 5)
    assert rules.title.alpha == alpha_of([], 5, TITLE) and rules.title.duel
    assert with_budget(CLASSIC_TEXT, [], 5) == CLASSIC_TEXT
