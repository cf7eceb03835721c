import _pydecimal
from decimal import ROUND_UP, localcontext
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tournament.emission.arithmetic import WIDE, boost, power
from tournament.rules import CALIBRATED_TEXT

bases = st.fractions(Fraction(1, 1000), 1000, max_denominator=1000)
exponents = st.fractions(0, 4, max_denominator=8)


@given(bases, exponents)
def test_another_decimal_arithmetic_gives_the_same_digits(base, exponent):
    """The interpreter's C library, and the same specification written in Python."""
    if exponent.denominator == 1:
        assert power(base, exponent) == base**exponent.numerator
        return
    other = _pydecimal.Context(prec=40, rounding="ROUND_HALF_EVEN", Emin=WIDE.Emin, Emax=WIDE.Emax, traps=[])

    def decimal(value):
        return other.divide(_pydecimal.Decimal(value.numerator), _pydecimal.Decimal(value.denominator))

    logarithm = decimal(base).ln(other)
    assert Fraction(str(other.multiply(logarithm, decimal(exponent)).exp(other))) == power(base, exponent)


@given(bases, exponents)
def test_a_process_with_other_decimal_settings_gives_the_same_digits(base, exponent):
    plain = power(base, exponent)
    with localcontext(prec=3, rounding=ROUND_UP):
        assert power(base, exponent) == plain


@given(bases, st.sampled_from([Fraction(1, 2), Fraction(3, 2), Fraction(5, 4)]))
def test_a_power_is_right_to_thirty_eight_digits(base, exponent):
    """Raised again by the denominator it is the whole power: an identity that no logarithm enters."""
    raised, whole = power(base, exponent) ** exponent.denominator, base**exponent.numerator
    assert abs(raised / whole - 1) < Fraction(1, 10**37)


def test_the_ends_of_a_power():
    assert power(Fraction(0), Fraction(1, 2)) == 0
    assert power(Fraction(0), Fraction(0)) == power(Fraction(3, 10), Fraction(0)) == 1


def test_the_boost_begins_at_the_threshold():
    rules = CALIBRATED_TEXT.emission
    boosts = [boost(gain, rules.boost_threshold, rules.boost_rate) for gain in ("-1", "0.10", "0.11", "0.30")]
    assert boosts == [0, 0, Fraction(2, 100), Fraction(40, 100)]
