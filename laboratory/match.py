"""The title match, for many at once, by the rules' own numbers; tests hold it against `tournament.title`."""

from typing import NamedTuple

import numpy as np

from laboratory.world import DAYS_A_YEAR, Array, Counts, Flags, World, normal
from tournament import title
from tournament.boundaries import Boundary
from tournament.rules import MarginTitle, PooledTitle, TournamentRules

LONG_REIGN = 60
"""Tournaments after which a margin has long reached its floor."""


class Verdicts(NamedTuple):
    """Both of the shape (seasons, tournaments)."""

    changed: Flags
    """The challenger has the title."""
    challenges: Counts
    """How many were played."""


def most_challenges(rules: TournamentRules) -> int:
    return rules.title.looks[-1] if isinstance(rules.title, PooledTitle) else len(rules.title_kinds)


def measured_gains(skill: Array, challenges: int, world: World, rng: np.random.Generator) -> Array:
    """Gains of challengers with these true gains, of the shape skill's + (challenges,).

    Who alone has no valid result is infinitely far behind; where both have none the gain is 0.
    """
    gains = skill[..., None] + normal(rng, (*skill.shape, challenges)) * world.gain_sd
    if world.failure_rate:
        challenger, champion = rng.random((2, *gains.shape)) < world.failure_rate
        gains[champion], gains[challenger], gains[champion & challenger] = np.inf, -np.inf, 0.0
    return gains


def by_pool(gains: Array, rule: PooledTitle, boundary: Boundary, early: bool = True) -> Verdicts:
    """The pooled test at its looks; without early stopping at the last one only.

    Args:
        gains: (..., challenges), relative.
    """
    most = float(rule.most_gain)
    clipped = np.clip(gains, -most, most)
    counts = np.arange(1, gains.shape[-1] + 1)
    sums, squares = clipped.cumsum(axis=-1), (clipped**2).cumsum(axis=-1)
    looks = list(zip(rule.looks, boundary.critical, strict=True))[0 if early else -1 :]
    changed = np.zeros(gains.shape[:-1], dtype=bool)
    playing, challenges = ~changed, np.zeros(gains.shape[:-1], dtype=np.int64)
    for look, critical in looks:
        mean = sums[..., look - 1] / counts[look - 1]
        variance = np.maximum(squares[..., look - 1] - look * mean**2, 0.0) / (look - 1)
        wins = playing & (mean >= float(rule.floor)) & (mean * np.sqrt(look) >= float(critical) * np.sqrt(variance))
        changed |= wins
        challenges[playing] = look
        playing &= ~wins & (mean >= float(rule.futility))
    return Verdicts(changed, challenges)


def by_margin(gains: Array, rule: MarginTitle) -> Verdicts:
    """The margin on most challenges; it follows the champion's streak through each season, which begins at 1.

    Args:
        gains: (seasons, tournaments, challenges); differences of −ln(loss).
    """
    needed = gains.shape[-1] // 2 + 1
    decisive = -np.expm1(-np.partition(gains, -needed, axis=-1)[..., -needed])
    margins = np.array([float(title.threshold(max(1, streak), rule)) for streak in range(LONG_REIGN + 1)])
    changed = np.zeros(gains.shape[:-1], dtype=bool)
    streak = np.ones(len(gains), dtype=np.int64)
    for tournament in range(gains.shape[1]):
        changed[:, tournament] = decisive[:, tournament] >= margins[streak]
        streak = np.where(changed[:, tournament], 1, np.minimum(streak + 1, LONG_REIGN))
    return Verdicts(changed, np.full(gains.shape[:-1], gains.shape[-1]))


def play_titles(gains: Array, rules: TournamentRules, world: World, early: bool = True) -> Verdicts:
    match rules.title:
        case MarginTitle() as rule:
            return by_margin(gains, rule)
        case PooledTitle() as rule:
            return by_pool(gains, rule, affordable(rule, world.days_between), early)


def affordable(rule: PooledTitle, days: float) -> Boundary:
    """The greatest α that the budget of so many days pays for. Raises ValueError when it pays for none."""
    budget = float(rule.alpha_per_year) * days / DAYS_A_YEAR
    paid = [boundary for boundary in rule.boundaries if float(boundary.alpha) <= budget * (1 + 1e-9)]
    if not paid:
        raise ValueError(f"{days:g} days of the budget pay for no boundary of the table; let tournaments be rarer")
    return paid[-1]
