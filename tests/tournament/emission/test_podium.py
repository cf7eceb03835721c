from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.tournament.emission import documents as made
from tournament import weights
from tournament.emission.podium import mean_entrants, place_shares, pools_of
from tournament.positions import final_positions
from tournament.rules import CALIBRATED_TEXT

OUTS = [[5, 6, 7, 8], [3, 4], [2]]
FIRST, SECOND, THIRD = (Fraction(place, 21) for place in (16, 4, 1))


def both(text=None, image=None):
    """A tournament of each kind, with these facts."""
    return made.evidence(made.podium(OUTS, **text or {}), made.podium(OUTS, kind=made.IMAGE, **image or {}))


def pools(**facts):
    result = pools_of(both(**facts))
    return result[made.TEXT], result[made.IMAGE]


def test_three_places_are_paid():
    """1 : 0.25 : 0.0625, about 76, 19 and 5 per cent."""
    assert place_shares(made.podium(OUTS)) == {
        made.OLD: FIRST,
        builders.hotkey(1): SECOND,
        builders.hotkey(2): THIRD,
    }
    assert [round(float(share), 3) for share in (FIRST, SECOND, THIRD)] == [0.762, 0.190, 0.048]


def test_a_dethroned_champion_is_the_runner_up():
    shares = place_shares(made.podium(OUTS, changed_hands=True))
    assert shares == {builders.hotkey(1): FIRST, made.OLD: SECOND, builders.hotkey(2): THIRD}


def test_round_one_pays_nothing():
    """The pair's loser went out in round 1; a challenger who was the only entrant met the champion in round 1."""
    assert place_shares(made.podium([[2]])) == {made.OLD: 1 - SECOND, builders.hotkey(1): SECOND}
    assert place_shares(made.podium([])) == {made.OLD: Fraction(1)}


def test_one_hotkey_with_two_places_has_both():
    """The champion's owner lost the title match with newer code."""
    shares = place_shares(made.podium(OUTS, champion=builders.hotkey(1)))
    assert shares == {builders.hotkey(1): FIRST + SECOND, builders.hotkey(2): THIRD}


def level_third():
    """Nobody challenged: both of the last pair failed, and are third."""
    document = made.podium([[5, 6], [3, 4], [1, 2]], challenger=None)
    *others, last = document.standings
    failed = last.model_copy(update={"standings": tuple(s.model_copy(update={"rank": 1}) for s in last.standings)})
    results = (*others, failed)
    positions = final_positions(document.title, results)
    return document.model_copy(update={"standings": results, "positions": positions})


def test_level_contestants_share_their_places():
    """Two are third: of three paid places they share one, of four two."""
    pair = builders.hotkey(1), builders.hotkey(2)
    assert place_shares(level_third()) == {made.OLD: 1 - THIRD, **dict.fromkeys(pair, THIRD / 2)}
    four = CALIBRATED_TEXT.emission.model_copy(update={"places": 4})
    shares = place_shares(level_third().model_copy(update={"emission": four}))
    assert shares == {made.OLD: Fraction(80, 85), **dict.fromkeys(pair, Fraction(5, 85) / 2)}


def test_after_the_runner_ups_days_the_champion_has_all():
    assert place_shares(made.podium(OUTS, runner_up_is_paid=False)) == {made.OLD: Fraction(1)}


def test_pools_are_the_anchors_scaled_to_one():
    assert pools() == (Fraction(35, 60), Fraction(25, 60))


def test_a_boost_begins_at_ten_per_cent_and_ends_at_the_cap():
    assert pools(text={"gain": "0.10"}) == (Fraction(35, 60), Fraction(25, 60))
    assert pools(text={"gain": "0.15"}) == (Fraction(45, 70), Fraction(25, 70))
    assert pools(text={"gain": "0.5"}) == (Fraction(50, 75), Fraction(25, 75))
    assert pools(text={"gain": "0.5"}, image={"gain": "0.5"}) == (Fraction(1, 2), Fraction(1, 2))
    assert pools(text={"gain": "0.15", "streak": 9}) == (Fraction(45, 70), Fraction(25, 70)), "it never decays"


def test_the_balance_by_hand():
    """Entrants 12 and 4: text 0.35 × (7/12 ÷ 3/4)^1.25, image 0.25 × (5/12 ÷ 1/4)^1.25.

    0.35 × 0.730414… = 0.255645…, 0.25 × 1.893698… = 0.473424…; together scaled to 0.60.
    """
    text, image = pools(text={"entrants_before": (12,) * 4}, image={"entrants_before": (4,) * 4})
    weight = 0.35 * (7 / 9) ** 1.25, 0.25 * (5 / 3) ** 1.25
    assert float(text) == pytest.approx(weight[0] / sum(weight), rel=1e-12)
    assert text + image == 1
    assert round(float(text), 6) == 0.350646


def test_entrants_in_the_proportion_of_the_anchors_change_nothing():
    assert pools(text={"entrants_before": (14, 14)}, image={"entrants_before": (10,)}) == (
        Fraction(35, 60),
        Fraction(25, 60),
    )


def test_no_kind_falls_below_the_floor():
    text, image = pools(text={"entrants_before": (3,)}, image={"entrants_before": (250,)})
    assert image == Fraction(5, 100) / (Fraction(5, 100) + Fraction(50, 100)), "0.05, beside a text pool at its cap"
    assert text + image == 1


@pytest.mark.parametrize(
    ("entrants", "expected"),
    [
        ((), None),
        ((2, 2, 1, 0), None),
        ((8, 2, 10, 0), 9),
        ((8, 8, 8, 8, 200), 8),
        ((3,), 3),
    ],
)
def test_entrants_are_averaged_over_four_tournaments_and_those_with_too_few_ignored(entrants, expected):
    assert mean_entrants(made.podium(entrants_before=entrants), CALIBRATED_TEXT.emission) == expected


def test_nothing_is_balanced_before_every_kind_has_entrants_to_count():
    assert pools(text={"entrants_before": (30,)}) == (Fraction(35, 60), Fraction(25, 60))


def test_the_pool_of_a_kind_that_was_never_played_is_burned():
    result = weights.of(made.evidence(made.podium(gain="0.15")))
    assert result == {made.OLD: "0.642857142857", "burn": "0.357142857143"}, "0.45 of 0.70, and the anchor 0.25 of it"


def test_a_season_worked_by_hand():
    """text 0.35 + 2 × 0.05 = 0.45, image 0.25, together 0.70; 16 : 4 : 1 of 21 in each."""
    result = weights.of(both(text={"gain": "0.15"}, image={"champion": builders.hotkey(2)}))
    text, image = Fraction(45, 70), Fraction(25, 70)
    exact = {
        made.OLD: text * FIRST,
        builders.hotkey(1): text * SECOND + image * SECOND,
        builders.hotkey(2): text * THIRD + image * (FIRST + THIRD),
    }
    assert {hotkey: Decimal(weight) for hotkey, weight in result.items() if hotkey != "burn"} == {
        hotkey: Decimal(int(share * 10**12)).scaleb(-12) for hotkey, share in exact.items()
    }
    assert result["burn"] == "0.000000000001", "what rounding down leaves of one"


@given(st.lists(st.integers(3, 256), min_size=2, max_size=2), st.integers(1, 100))
def test_more_entrants_never_raise_a_kinds_pool(entrants, more):
    fewer = pools(text={"entrants_before": (entrants[0],)}, image={"entrants_before": (entrants[1],)})
    crowded = pools(text={"entrants_before": (entrants[0] + more,)}, image={"entrants_before": (entrants[1],)})
    assert crowded[0] <= fewer[0]
