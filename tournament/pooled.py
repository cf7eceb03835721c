"""The pooled title test: one-sided, over the gains of all challenges, with looks; exact arithmetic, no rounding.

At look K with gains g₁ … g_K the challenger takes the title when

    mean(g) ≥ floor   and   mean(g) × √K / s ≥ critical(K),   s² = Σ (g − mean)² / (K − 1)

and the match ends for the champion at the last look, or where mean(g) < futility.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist

from core.tournament import TitleTest
from tournament.boundaries import Boundary
from tournament.merit import as_decimal, root, rounded, shown
from tournament.results import gain_of
from tournament.rules import PooledTitle
from tournament.scoring import Result

POWER = 0.8
"""Of the smallest detectable gain that is published."""


@dataclass(frozen=True)
class Verdict:
    """What the looks so far say."""

    is_decided: bool
    takes: bool
    why: str


def clipped(champion: Result, challenger: Result, title: PooledTitle) -> Decimal:
    """The challenger's gain on a challenge that counts, within ±most_gain; who has no valid result loses by that."""
    gain = gain_of(challenger, champion)
    if gain is not None:
        return max(-title.most_gain, min(title.most_gain, gain))
    return title.most_gain * ((challenger.value is not None) - (champion.value is not None))


def judge_gains(gains: Sequence[Decimal], title: PooledTitle) -> Verdict:
    """The verdict of the first look that decides, or that more challenges are to be played."""
    critical = critical_values(title)
    if critical is None:
        return Verdict(True, False, f"the year's α leaves {title.alpha}, less than the least that can be tested with")
    for look, bound in zip(title.looks, critical, strict=True):
        if look > len(gains):
            return Verdict(False, False, f"{len(gains)} of {look} challenges before the next look")
        if (verdict := _look(gains[:look], bound, title)).is_decided:
            return verdict
    raise AssertionError("the last look decides")


def critical_values(title: PooledTitle) -> tuple[Decimal, ...] | None:
    """Those of the largest tabulated α that the match may spend; None when it may spend less than the least."""
    boundary = boundary_of(title)
    return None if boundary is None else boundary.critical


def boundary_of(title: PooledTitle) -> Boundary | None:
    affordable = [b for b in title.boundaries if title.alpha is None or b.alpha <= title.alpha]
    return affordable[-1] if affordable else None


def _look(gains: Sequence[Decimal], bound: Decimal, title: PooledTitle) -> Verdict:
    count, mean = len(gains), _mean(gains)
    reaches = mean > 0 and mean**2 * count >= Fraction(bound) ** 2 * _variance(gains)
    told = f"mean gain {as_decimal(mean):.4%} over {count} challenges"
    if reaches and mean >= Fraction(title.floor):
        return Verdict(True, True, f"{told}: significant at this tournament's α, and at least {title.floor:.2%}")
    if count == title.looks[-1]:
        return Verdict(True, False, f"{told}: not significant at the last look")
    if mean < Fraction(title.futility):
        return Verdict(True, False, f"{told}: below {title.futility:.2%}, where the match ends early")
    return Verdict(False, False, f"{told}: undecided")


def test_of(gains: Sequence[Decimal], title: PooledTitle) -> TitleTest:
    """What is published with a title: the test at the look where it ended."""
    look = _last_look(gains, title)
    entered, critical = gains[:look], critical_values(title)
    bound = critical[title.looks.index(look)] if critical else Decimal("Infinity")
    boundary = boundary_of(title)
    mean, variance = _mean(entered), _variance(entered)
    deviation, reach = root(variance), root(Fraction(bound) ** 2 * variance / look) if critical else None
    return TitleTest(
        alpha=str(boundary.alpha if boundary else 0),
        challenges=look,
        mean_gain=shown(as_decimal(mean)),
        standard_deviation=shown(deviation),
        statistic=shown(_statistic(mean, variance, look)) if variance else None,
        critical=str(bound),
        low="-Infinity" if reach is None else shown(as_decimal(mean) - reach),
        smallest_detectable_gain=shown(_detectable(deviation, title, critical)),
    )


def _statistic(mean: Fraction, variance: Fraction, count: int) -> Decimal:
    """mean × √K / s."""
    size = root(mean**2 * count / variance)
    return size if mean >= 0 else -size


def _last_look(gains: Sequence[Decimal], title: PooledTitle) -> int:
    """The look that decided, or the last one reached."""
    reached = [look for look in title.looks if look <= len(gains)]
    return next((look for look in reached if judge_gains(gains[:look], title).is_decided), reached[-1])


def _detectable(deviation: Decimal, title: PooledTitle, critical: Sequence[Decimal] | None) -> Decimal:
    if critical is None:
        return Decimal("Infinity")
    reach = critical[-1] + Decimal(repr(NormalDist().inv_cdf(POWER)))
    return max(title.floor, rounded(reach * deviation / Decimal(title.looks[-1]).sqrt()))


def _mean(gains: Sequence[Decimal]) -> Fraction:
    return sum(map(Fraction, gains), Fraction(0)) / len(gains)


def _variance(gains: Sequence[Decimal]) -> Fraction:
    mean = _mean(gains)
    return sum(((Fraction(gain) - mean) ** 2 for gain in gains), Fraction(0)) / (len(gains) - 1)
