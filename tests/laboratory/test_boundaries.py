"""The table of critical values can be made again, and holds against paths that it was not made from."""

from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from laboratory.boundaries import DAYS, LOOKS, SPENDING_POWER, alpha_of, spent, statistics_at, table
from tournament import boundaries as shipped


def test_the_shipped_table_is_the_laboratorys():
    assert LOOKS == shipped.LOOKS
    assert [boundary.alpha for boundary in shipped.BOUNDARIES] == [alpha_of(days) for days in DAYS]


def test_the_table_can_be_made_again():
    """With a hundredth of the paths, so that the smallest α is left out and a few per cent are allowed."""
    days = DAYS[-3:]
    again = table(LOOKS, SPENDING_POWER, days, paths=1_000_000, seed=8)
    assert again == table(LOOKS, SPENDING_POWER, days, paths=1_000_000, seed=8)
    for boundary in shipped.BOUNDARIES[-3:]:
        assert again[boundary.alpha][0] == boundary.critical[0]
        found, expected = np.array(again[boundary.alpha], float), np.array(boundary.critical, float)
        assert found == pytest.approx(expected, rel=0.08)


def test_each_look_spends_its_share():
    paths = np.random.default_rng(21).standard_normal((600_000, LOOKS[-1]), dtype=np.float32).astype(float)
    reached = statistics_at(paths, LOOKS) >= np.array(shipped.BOUNDARIES[-1].critical, dtype=float)
    ended = np.maximum.accumulate(reached, axis=1).sum(axis=0)
    expected = spent(float(shipped.BOUNDARIES[-1].alpha), LOOKS, SPENDING_POWER) * len(paths)
    assert (np.abs(ended - expected) < 4 * np.sqrt(expected) + 1).all()


def test_statistics_are_students():
    paths = np.random.default_rng(4).normal(0.3, 2.0, (50, 9))
    expected = [stats.ttest_1samp(paths[:, :look], 0.0, axis=1).statistic for look in (3, 9)]
    assert statistics_at(paths, (3, 9)) == pytest.approx(np.array(expected).T)


def test_the_first_look_is_students_quantile():
    share = Decimal(LOOKS[0] ** 2) / LOOKS[-1] ** 2
    for boundary in shipped.BOUNDARIES:
        exact = stats.t.isf(float(boundary.alpha * share), LOOKS[0] - 1)
        assert 0 <= float(boundary.critical[0]) - exact <= 0.001
