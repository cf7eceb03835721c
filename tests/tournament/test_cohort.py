"""Golden vectors of reference_serving §9; the cohort's scores exist in the classic rules only."""

import pytest

from core.evaluation import Reward, Scored
from core.ids import Contestant
from tests import builders
from tournament.cohort import cohort_scores
from tournament.rules import NAMED


def measured(**models: tuple[float, float, float]) -> dict[Contestant, Scored]:
    return {
        Contestant(name): builders.scored(0.0).model_copy(
            update={
                "rewards": (Reward(name="a", weight=0.7, mean=a), Reward(name="b", weight=0.3, mean=b)),
                "kl": kl,
            }
        )
        for name, (a, b, kl) in models.items()
    }


@pytest.mark.parametrize(
    ("models", "scores"),
    [
        ({"m1": (10, -2, 0.1), "m2": (5, -4, 0.02), "m3": (8, -3, 0)}, {"m1": 0.95, "m2": 0.34, "m3": 0.71}),
        ({"m1": (10, -2, 0), "m2": (9.99, -2.01, 0)}, {"m1": 0.925, "m2": 0.7743}),
        ({"m1": (10, -2, 0), "m2": (5, -4, 0), "m3": (8, -3, 0)}, {"m1": 1.0, "m2": 0.35, "m3": 0.71}),
    ],
)
def test_the_references_numbers(models, scores):
    """The third: with a failed entrant left out the others keep their own scores (its bug shifted them)."""
    assert cohort_scores(measured(**models)) == pytest.approx(scores)


def test_one_alone_keeps_its_value():
    alone = {Contestant("m"): builders.scored(0.25)}
    assert cohort_scores(alone) == {"m": 0.25}


def test_only_the_classic_rules_use_it():
    users = {name for name, kinds in NAMED.items() for rules in kinds.values() if rules.cohort_rewards}
    assert users == {"classic"}
