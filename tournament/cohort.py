"""The reference's GRPO scores, relative to who else plays: only for the `classic` rules, where its numbers are wanted.

Adding an entrant can flip two others under it; rules of ours never use it (docs/rules.md).
"""

from collections.abc import Mapping
from fractions import Fraction

from core.evaluation import Scored
from core.ids import Contestant

KL_WEIGHT = Fraction(1, 2)


def cohort_scores(measured: Mapping[Contestant, Scored]) -> dict[Contestant, float]:
    """Weighted rewards, each normalised over the cohort, minus half the KL; of fewer than two the value itself.

    Raises ValueError when a result states no rewards.
    """
    if len(measured) < 2:
        return {contestant: scored.value for contestant, scored in measured.items()}
    names = {part.name: Fraction(part.weight) for scored in measured.values() for part in scored.rewards}
    if not names:
        raise ValueError("cohort scores need the mean reward of each function, and none is recorded")
    totals = {contestant: -KL_WEIGHT * Fraction(scored.kl) for contestant, scored in measured.items()}
    for name, weight in names.items():
        for contestant, share in _normalised(_rewards(measured, name)).items():
            totals[contestant] += weight * share
    return {contestant: float(total) for contestant, total in totals.items()}


def _rewards(measured: Mapping[Contestant, Scored], name: str) -> dict[Contestant, Fraction]:
    return {c: Fraction(part.mean) for c, scored in measured.items() for part in scored.rewards if part.name == name}


def _normalised(rewards: Mapping[Contestant, Fraction]) -> dict[Contestant, Fraction]:
    """By the largest, shifted to 0 where one is negative; two with a negative one are 0.25 and 0.75."""
    least = min(rewards.values())
    if len(rewards) == 2 and least < 0:
        return {c: Fraction(1, 4) if reward == least else Fraction(3, 4) for c, reward in rewards.items()}
    shifted = {c: reward - min(least, Fraction(0)) for c, reward in rewards.items()}
    most = max(shifted.values())
    return {c: reward / most if most and len(rewards) > 1 else Fraction(1) for c, reward in shifted.items()}
