"""Which challenges a round sets, drawn from the seed and the hub's catalogue."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from typing import TypeVar

from core.challenge import Catalogue, ChallengeKind, ChallengePlan, DatasetInfo, ModelInfo
from core.ids import ChallengeId, challenge_id, round_id
from core.tournament import Group, RoundPlan, RoundType, TournamentState
from tournament.draw import digest, draw_groups, number, round_type
from tournament.lifecycle import contenders_of
from tournament.rules import Parameters, TournamentRules

SCALE = 10**9

Choice = TypeVar("Choice")


def draw_round(state: TournamentState, number_: int, rules: TournamentRules, catalogue: Catalogue) -> RoundPlan:
    """The next round whole: groups, challenges, seeds. Raises ValueError when the catalogue cannot serve it."""
    tournament = state.tournament
    if tournament.seed is None:
        raise ValueError(f"tournament {tournament.tournament_id} has no seed yet; its entries are not closed")
    contenders = contenders_of(state)
    round_ = round_id(tournament.tournament_id, number_)
    type_ = round_type(len(contenders), rules)
    groups = draw_groups(contenders, round_, tournament.seed, rules)
    return RoundPlan(
        round_id=round_,
        number=number_,
        type=type_,
        groups=tuple(_with_challenges(group, type_, tournament.seed, rules, catalogue) for group in groups),
    )


def _with_challenges(group: Group, type_: RoundType, seed: str, rules: TournamentRules, catalogue: Catalogue) -> Group:
    if len(group.members) == 1:
        return group
    ids = [challenge_id(group.group_id, i) for i in range(1, _challenge_count(type_, rules) + 1)]
    kinds = [_kind(type_, i, id_, seed, rules, catalogue) for i, id_ in enumerate(ids)]
    plans = (_plan(id_, kind, type_, seed, rules, catalogue) for id_, kind in zip(ids, kinds, strict=True))
    return group.model_copy(update={"challenges": tuple(plans)})


def _challenge_count(type_: RoundType, rules: TournamentRules) -> int:
    return len(rules.title_kinds) if type_ is RoundType.TITLE else 1


def _kind(
    type_: RoundType, index: int, id_: ChallengeId, seed: str, rules: TournamentRules, catalogue: Catalogue
) -> ChallengeKind:
    match type_:
        case RoundType.GROUP:
            return rules.group_kind
        case RoundType.KNOCKOUT:
            return _drawn_kind(id_, seed, rules, catalogue)
        case RoundType.TITLE:
            return rules.title_kinds[index]


def _drawn_kind(id_: ChallengeId, seed: str, rules: TournamentRules, catalogue: Catalogue) -> ChallengeKind:
    """By the rules' probabilities among the kinds that the catalogue has datasets for."""
    on_offer = {dataset.kind for dataset in catalogue.datasets}
    chances = {kind: share for kind, share in sorted(rules.knockout_kinds.items()) if kind in on_offer}
    if not chances:
        raise ValueError(f"{id_}: the catalogue has no dataset of {', '.join(sorted(rules.knockout_kinds))}")
    mark = Decimal(number(seed, f"{id_}:kind", SCALE)) / SCALE * sum(chances.values())
    bounds = zip(chances, accumulate(chances.values()), strict=True)
    return next(kind for kind, bound in bounds if mark < bound)


def _plan(
    id_: ChallengeId, kind: ChallengeKind, type_: RoundType, seed: str, rules: TournamentRules, catalogue: Catalogue
) -> ChallengePlan:
    dataset = _pick_dataset(id_, kind, seed, rules, catalogue)
    return ChallengePlan(
        challenge_id=id_,
        kind=kind,
        seed=digest(seed, f"{id_}:seed"),
        model=_pick_model(id_, _model_range(id_, type_, seed, rules), seed, catalogue),
        dataset=dataset,
        training_seconds=_training_seconds(id_, type_, dataset.rows, seed, rules),
    )


def _model_range(id_: ChallengeId, type_: RoundType, seed: str, rules: TournamentRules) -> Parameters:
    is_big = Decimal(number(seed, f"{id_}:big", SCALE)) / SCALE < rules.big_model_share
    return rules.big_models if type_ is RoundType.TITLE and is_big else rules.models[type_]


def _pick_model(id_: ChallengeId, size: Parameters, seed: str, catalogue: Catalogue) -> ModelInfo:
    fitting = [model for model in catalogue.models if size[0] <= model.parameters <= size[1]]
    if not fitting:
        raise ValueError(f"{id_}: the hub has no model of {size[0]:,} to {size[1]:,} parameters; add one")
    return _one_of(fitting, seed, f"{id_}:model")


def _pick_dataset(
    id_: ChallengeId, kind: ChallengeKind, seed: str, rules: TournamentRules, catalogue: Catalogue
) -> DatasetInfo:
    fitting = [d for d in catalogue.datasets if d.kind is kind and d.rows >= rules.minimum_rows]
    if not fitting:
        raise ValueError(f"{id_}: the hub has no {kind} dataset of at least {rules.minimum_rows} rows; add one")
    return _one_of(fitting, seed, f"{id_}:dataset")


def _one_of(choices: Sequence[Choice], seed: str, label: str) -> Choice:
    return choices[number(seed, label, len(choices))]


def _training_seconds(id_: ChallengeId, type_: RoundType, rows: int, seed: str, rules: TournamentRules) -> float:
    if rules.fixed_seconds is not None:
        return rules.fixed_seconds
    if type_ is RoundType.GROUP:
        return rules.group_seconds
    band = next((band for band in rules.hours if rows < band.below_rows), rules.hours[-1])
    return 3600.0 * (band.least + number(seed, f"{id_}:hours", band.most - band.least + 1))
