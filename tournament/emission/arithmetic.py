"""What the policies share: exact fractions, and one power that comes out the same on every machine."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from fractions import Fraction

from core.ids import Hotkey

Shares = dict[Hotkey, Fraction]
"""Of the whole emission, or of a part of it."""
WIDE = Context(
    prec=40,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""40 digits, half to even; every field is stated so that no process's own defaults get in."""


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """`base` ^ `exponent` for a base ≥ 0: exact for a whole exponent, else exp(exponent × ln base) to 40 digits.

    Division, ln, product and exp are each correctly rounded by the decimal arithmetic's specification, so that every
    implementation gives the same digits; its own power is only "almost always" correctly rounded.
    """
    if exponent.denominator == 1:
        return base**exponent.numerator
    if base == 0:
        return Fraction(0)
    logarithm = _decimal(base).ln(WIDE)
    return Fraction(WIDE.multiply(logarithm, _decimal(exponent)).exp(WIDE))


def _decimal(value: Fraction) -> Decimal:
    return WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))


def boost(gain: str, threshold: Decimal, rate: Decimal) -> Fraction:
    """Added to a kind's pool: `rate` × what the champion's gain has above the threshold."""
    return max(Fraction(0), Fraction(gain) - Fraction(threshold)) * Fraction(rate)


def mean(counts: Iterable[int]) -> Fraction | None:
    """None of nothing."""
    listed = list(counts)
    return Fraction(sum(listed), len(listed)) if listed else None


def summed(parts: Iterable[Shares]) -> Shares:
    """What a hotkey has in several parts is added up."""
    total: defaultdict[Hotkey, Fraction] = defaultdict(Fraction)
    for part in parts:
        for hotkey, share in part.items():
            total[hotkey] += share
    return dict(total)


def scaled(shares: Shares, factor: Fraction) -> Shares:
    return {hotkey: share * factor for hotkey, share in shares.items()}
