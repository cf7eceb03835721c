"""Two contestants on one challenge: the gain of one over the other, and its error from the test examples."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from core.evaluation import ExampleResult
from core.ids import Contestant, EvaluationId
from core.tournament import Gap
from tournament.merit import mean, root, rounded, shown, standard_error
from tournament.scoring import Result

NORMAL_95 = Decimal("1.959964")
"""Two-sided 95 % quantile of the normal distribution."""

Examples = Mapping[EvaluationId, Sequence[ExampleResult]]
"""Per-example results of the evaluations that scored."""


def gain_of(first: Result, second: Result) -> Decimal | None:
    """By how much the first is better, relative; None unless both have a value."""
    mine, theirs = first.merit, second.merit
    return None if mine is None or theirs is None else mine - theirs


def error_of(first: Result, second: Result, examples: Examples) -> Decimal | None:
    """Standard error of their gain, paired over the test examples; None where it cannot be had."""
    rows = [examples.get(result.evaluation.evaluation_id) for result in (first, second) if result.evaluation]
    if first.value is None or second.value is None or len(rows) < 2 or not rows[0] or not rows[1]:
        return None
    error = standard_error(rows[0], rows[1], first.direction)
    return rounded(Decimal(error)) if error < float("inf") else None


def mean_error(errors: Sequence[Decimal | None], training_noise: Decimal) -> Decimal:
    """Standard error of a mean gain: the test examples' and the stated noise of training, challenge by challenge."""
    variance = sum((Fraction(error or 0) ** 2 + Fraction(training_noise) ** 2 for error in errors), Fraction(0))
    return root(variance / len(errors) ** 2)


def interval(
    against: Contestant, gains: Sequence[Decimal], errors: Sequence[Decimal | None], training_noise: Decimal
) -> Gap:
    """The mean gain over somebody with its 95 % interval."""
    middle, reach = mean(gains), rounded(NORMAL_95 * mean_error(errors, training_noise))
    return Gap(against=against, gain=shown(middle), low=shown(middle - reach), high=shown(middle + reach))
