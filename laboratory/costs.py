"""GPU hours of a training, expected over a rule set's programme (reference_tournament.md §2.1, §3.1).

Expected and not drawn: the draw of the programme knows nothing of who is good, so that the mean is the same and free
of chance. Datasets fall on the rules' bands of rows alike; model sizes are uniform in their logarithm.
"""

from itertools import pairwise
from math import inf, log
from statistics import fmean

from core.challenge import ChallengeKind
from core.tournament import RoundType
from tournament.rules import Parameters, TournamentRules

WEIGHT = {ChallengeKind.DPO: 3, ChallengeKind.GRPO: 2}
"""A parameter of such a training needs so many times the memory."""
GPUS = ((0.0, 1), (4e9, 2), (12e9, 4), (40e9, 8))
"""Above so many weighted parameters a training has so many GPUs."""


def training_cost(rules: TournamentRules, type_: RoundType, kind: ChallengeKind) -> float:
    """GPU hours of one training of a round's challenge."""
    return training_hours(rules, type_) * training_gpus(rules, type_, kind)


def pair_cost(rules: TournamentRules) -> float:
    """GPU hours of one training of a knock-out challenge, over the kinds that it may have."""
    kinds = {kind: float(share) for kind, share in rules.knockout_kinds.items()}
    costs = sum(share * training_cost(rules, RoundType.KNOCKOUT, kind) for kind, share in kinds.items())
    return costs / sum(kinds.values())


def title_costs(rules: TournamentRules, challenges: int) -> list[float]:
    """GPU hours of one training of each of a title match's challenges."""
    kinds = [rules.title_kinds[i % len(rules.title_kinds)] for i in range(challenges)]
    return [training_cost(rules, RoundType.TITLE, kind) for kind in kinds]


def training_hours(rules: TournamentRules, type_: RoundType) -> float:
    if rules.fixed_seconds is not None:
        return rules.fixed_seconds / 3600
    if type_ is RoundType.GROUP:
        return rules.group_seconds / 3600
    return fmean((band.least + band.most) / 2 for band in rules.hours)


def training_gpus(rules: TournamentRules, type_: RoundType, kind: ChallengeKind) -> float:
    if kind is ChallengeKind.IMAGE:
        return 1.0
    usual = _gpus(rules.models[type_], WEIGHT.get(kind, 1))
    if type_ is not RoundType.TITLE:
        return usual
    big = float(rules.big_model_share)
    return (1 - big) * usual + big * _gpus(rules.big_models, WEIGHT.get(kind, 1))


def _gpus(models: Parameters, weight: int) -> float:
    """Mean over models whose parameters are uniform in the logarithm between the two bounds."""
    least, most = (log(weight * parameters) for parameters in models)
    bounds = [*((log(above) if above else -inf, gpus) for above, gpus in GPUS), (inf, 0)]
    covered = ((gpus, min(high, most) - max(low, least)) for (low, gpus), (high, _) in pairwise(bounds))
    return sum(gpus * max(0.0, share) for gpus, share in covered) / (most - least)
