"""Merits: how good a contestant was on one challenge, whoever else plays.

loss   −ln(loss): a difference of two is the relative gain of one over the other
score  the score itself, in units of its stated span

Merits are exact decimals, correctly rounded to 12 places on every machine (the `decimal` module's ln is), and a gain is
a difference of two merits: it only changes its sign when the sides change places, and nothing is ever multiplied by it.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import fsum, isqrt, sqrt
from typing import assert_never

from core.challenge import Direction
from core.evaluation import ExampleResult

PLACES = 12
SMALLEST_LOSS = Decimal("1e-9")
"""A loss below counts as this much."""
_WIDE = Context(prec=1000, rounding=ROUND_HALF_EVEN)
"""Losses are floats: their quotients have at most some 600 digits before the point."""
_LOGARITHM = Context(prec=40, rounding=ROUND_HALF_EVEN)


def merit(value: float, direction: Direction) -> Decimal:
    """Higher is better; the same for a value whoever else plays."""
    match direction:
        case Direction.LOSS:
            return rounded(max(Decimal(value), SMALLEST_LOSS).ln(_LOGARITHM).copy_negate())
        case Direction.SCORE:
            return rounded(Decimal(value))
        case _:
            assert_never(direction)


def rounded(value: Decimal) -> Decimal:
    """To 12 places, half to even."""
    return value.quantize(Decimal(1).scaleb(-PLACES), context=_WIDE)


def as_decimal(value: Fraction) -> Decimal:
    """To 12 places, half to even, the same on every machine; exact however large."""
    return Decimal(round(value * 10**PLACES)).scaleb(-PLACES, _WIDE)


def mean(values: Sequence[Decimal]) -> Decimal:
    """To 12 places. Raises ZeroDivisionError without values."""
    return as_decimal(sum(map(Fraction, values), Fraction(0)) / len(values))


def root(value: Fraction) -> Decimal:
    """Square root to 12 places, by way of 24."""
    return as_decimal(Fraction(isqrt(int(value * 10 ** (4 * PLACES))), 10 ** (2 * PLACES)))


def shown(value: Decimal) -> str:
    """As it is published: digits alone, no exponent."""
    return format(value, "f")


def standard_error(first: Sequence[ExampleResult], second: Sequence[ExampleResult], direction: Direction) -> float:
    """Of the gain of one model over another, from their results on the same rows, paired.

    For losses the gain is ln(Σ second / Σ first), linearised. Infinite for a single row.
    Raises ValueError when the rows are not the same.
    """
    if [row.row_sha256 for row in first] != [row.row_sha256 for row in second]:
        raise ValueError("the two models were not measured on the same rows")
    if len(first) < 2:
        return float("inf")
    residuals = _residuals(first, second, direction)
    return sqrt(fsum(residual * residual for residual in residuals) * len(first) / (len(first) - 1))


def _residuals(first: Sequence[ExampleResult], second: Sequence[ExampleResult], direction: Direction) -> list[float]:
    """Each row's part of the gain's error; they sum to 0."""
    mine, theirs = [row.total for row in first], [row.total for row in second]
    if direction is Direction.LOSS:
        whole = fsum(mine) or 1.0, fsum(theirs) or 1.0
        return [a / whole[0] - b / whole[1] for a, b in zip(mine, theirs, strict=True)]
    mean = fsum(a - b for a, b in zip(mine, theirs, strict=True)) / len(mine)
    return [(a - b - mean) / len(mine) for a, b in zip(mine, theirs, strict=True)]
