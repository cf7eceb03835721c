"""Critical values of the title match: a one-sided group-sequential t-test that holds for every standard deviation.

Under equal means the sequence of t statistics at the looks does not depend on the gains' standard deviation, so that
one table serves every match. `python -m laboratory.boundaries` makes it: at look j of the last one K the error spent
is α × (look / K)², from 10⁸ paths; each α is 5 % × d / 365 for d = 1, 2, 3, 4, 5, 7, 10 and 14 days. docs/laboratory.md
says why these looks.
"""

from decimal import Decimal

from core.value import Frozen


class Boundary(Frozen):
    """Critical values for one α."""

    alpha: Decimal
    critical: tuple[Decimal, ...]
    """One for each look."""


def _boundary(alpha: str, critical: str) -> Boundary:
    return Boundary(alpha=Decimal(alpha), critical=tuple(map(Decimal, critical.split())))


LOOKS = (3, 6, 9, 12, 15, 18)
BOUNDARIES: tuple[Boundary, ...] = (
    _boundary("0.0001369", "362.604 15.077 8.136 6.289 5.459 4.990"),
    _boundary("0.0002739", "256.352 13.067 7.381 5.803 5.064 4.634"),
    _boundary("0.0004109", "209.296 12.040 6.972 5.518 4.839 4.441"),
    _boundary("0.0005479", "181.250 11.345 6.675 5.318 4.674 4.299"),
    _boundary("0.0006849", "162.111 10.851 6.455 5.168 4.553 4.191"),
    _boundary("0.0009589", "137.004 10.124 6.138 4.948 4.373 4.025"),
    _boundary("0.0013698", "114.626 9.416 5.809 4.717 4.183 3.852"),
    _boundary("0.0019178", "96.873 8.754 5.513 4.503 4.000 3.684"),
)
