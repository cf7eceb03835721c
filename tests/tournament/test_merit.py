from decimal import Decimal, getcontext, localcontext
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.challenge import Direction
from core.evaluation import ExampleResult
from tests import builders
from tournament.merit import SMALLEST_LOSS, merit, standard_error

losses = st.floats(1e-6, 1e6)
scores = st.floats(-1e6, 1e6)


def rows(values, tokens=1):
    return [
        ExampleResult(row_id=i, row_sha256=builders.sha256(i), total=value, weight=tokens)
        for i, value in enumerate(values)
    ]


@given(losses, losses)
def test_a_lower_loss_has_the_higher_merit(one, other):
    assert (merit(one, Direction.LOSS) >= merit(other, Direction.LOSS)) or one > other


@given(scores, scores)
def test_a_higher_score_has_the_higher_merit_whatever_its_sign(one, other):
    assert (merit(one, Direction.SCORE) <= merit(other, Direction.SCORE)) or one > other


@given(losses)
def test_merits_of_losses_are_their_logarithms(loss):
    assert float(merit(loss, Direction.LOSS)) == pytest.approx(-log(loss), abs=1e-9)


def test_a_gain_of_one_per_cent_is_one_per_cent():
    gain = merit(1.188, Direction.LOSS) - merit(1.2, Direction.LOSS)
    assert gain == Decimal("0.010050335854")


def test_merits_are_the_same_under_any_decimal_context():
    with localcontext() as context:
        context.prec = 3
        narrow = merit(1.234567, Direction.LOSS)
    assert narrow == merit(1.234567, Direction.LOSS) and getcontext().prec == 28


def test_losses_beyond_all_bounds_have_a_merit():
    least = merit(float(SMALLEST_LOSS), Direction.LOSS)
    assert merit(0.0, Direction.LOSS) == merit(1e-300, Direction.LOSS) == least
    assert merit(1e300, Direction.LOSS) == Decimal("-690.775527898214")


def test_the_standard_error_of_a_gain_is_that_of_its_pairs():
    """Golden: sums 10 and 8; residuals a/10 − b/8 are 0.025, 0.05, −0.075 → s.e. √(0.00875 × 3/2)."""
    first, second = rows([1.5, 3.0, 5.5]), rows([1.0, 2.0, 5.0])
    assert standard_error(first, second, Direction.LOSS) == pytest.approx((0.00875 * 1.5) ** 0.5)


def test_the_standard_error_of_a_scores_gain_is_that_of_a_mean():
    """Golden: differences 2, 0 and 1 lie 1, −1 and 0 about their mean → s.e. √(2/9 × 3/2) = √(1/3)."""
    first, second = rows([3.0, 1.0, 2.0]), rows([1.0, 1.0, 1.0])
    assert standard_error(first, second, Direction.SCORE) == pytest.approx((1 / 3) ** 0.5)


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=30), st.floats(0.1, 10))
def test_models_that_differ_by_a_factor_have_no_error(values, factor):
    other = rows([value * factor for value in values])
    assert standard_error(rows(values), other, Direction.LOSS) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)), min_size=2, max_size=30))
@pytest.mark.parametrize("direction", Direction)
def test_the_error_is_the_same_from_either_side(direction, pairs):
    first, second = rows([a for a, _ in pairs]), rows([b for _, b in pairs])
    assert standard_error(first, second, direction) == pytest.approx(standard_error(second, first, direction))


def test_different_rows_are_not_compared():
    with pytest.raises(ValueError, match="same rows"):
        standard_error(rows([1.0, 2.0]), rows([1.0, 2.0])[::-1], Direction.LOSS)


def test_one_row_says_nothing():
    assert standard_error(rows([1.0]), rows([2.0]), Direction.LOSS) == float("inf")
