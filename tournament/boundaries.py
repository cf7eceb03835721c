"""Critical values of the title match: a one-sided group-sequential t-test that holds for every standard deviation.

Under equal means the sequence of t statistics at the looks does not depend on the gains' standard deviation, so that
one table serves every match. `python -m laboratory.boundaries` makes it: at look j of the last one K the error spent
is α × (look / K)^SPENDING_POWER.
"""

from decimal import Decimal

from core.value import Frozen


class Boundary(Frozen):
    """Critical values for one α."""

    alpha: Decimal
    critical: tuple[Decimal, ...]
    """One for each look."""


LOOKS = (4, 6, 8, 10, 12, 14, 17)
BOUNDARIES: tuple[Boundary, ...] = (
    Boundary(
        alpha=Decimal("0.00096"),
        critical=tuple(map(Decimal, ["26.13", "10.16", "6.86", "5.58", "4.85", "4.46", "4.19"])),
    ),
)
