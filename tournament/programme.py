"""Which challenges a round sets, drawn from the seed and the hub's catalogue."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate, cycle, islice
from typing import TypeVar

from core.challenge import Catalogue, ChallengeKind, ChallengePlan, DatasetInfo, ModelInfo
from core.ids import ChallengeId, challenge_id, round_id
from core.tournament import Group, RoundPlan, RoundType, TournamentState
from tournament.draw import digest, draw_groups, draw_meetings, number, round_type
from tournament.rounds import challenges_of_type, contenders_of, undecided_pairs
from tournament.rules import Parameters, PooledTitle, TournamentRules
from tournament.title import challenges_to_play

SCALE = 10**9

Choice = TypeVar("Choice")


class UnservedError(ValueError):
    """The hub's catalogue has nothing that a challenge could be made of."""


def draw_round(state: TournamentState, number_: int, rules: TournamentRules, catalogue: Catalogue) -> RoundPlan:
    """The next round whole: groups, challenges, seeds. Raises UnservedError when the catalogue cannot serve it."""
    tournament = state.tournament
    if tournament.seed is None:
        raise ValueError(f"tournament {tournament.tournament_id} has no seed yet; its entries are not closed")
    contenders, pairs = contenders_of(state), undecided_pairs(state)
    round_ = round_id(tournament.tournament_id, number_)
    type_ = RoundType.KNOCKOUT if pairs else round_type(len(contenders), rules)
    seed = tournament.seed
    has_duel = is_duel_of(state, rules)
    groups = (
        draw_meetings(contenders, pairs, round_) if pairs else draw_groups(contenders, round_, seed, rules, has_duel)
    )
    kinds = _set_kinds(state, type_, rules)
    return RoundPlan(
        round_id=round_,
        number=number_,
        type=type_,
        groups=tuple(_with_challenges(group, type_, kinds, seed, rules, catalogue) for group in groups),
    )


def is_duel_of(state: TournamentState, rules: TournamentRules) -> bool:
    """Whether the champion's code plays the next title round twice: in the first one, where a duel is due."""
    return isinstance(rules.title, PooledTitle) and rules.title.duel and not challenges_of_type(state, RoundType.TITLE)


def _set_kinds(state: TournamentState, type_: RoundType, rules: TournamentRules) -> Sequence[ChallengeKind | None]:
    """Kinds of the challenges that each group of the round plays; None: to be drawn."""
    match type_:
        case RoundType.GROUP:
            return [rules.group_kind] * rules.group_challenges
        case RoundType.KNOCKOUT:
            return [None]
        case RoundType.TITLE:
            first = len(challenges_of_type(state, RoundType.TITLE))
            endless = islice(cycle(rules.title_kinds), first, None)
            return list(islice(endless, challenges_to_play(state, rules)))


def _with_challenges(
    group: Group,
    type_: RoundType,
    kinds: Sequence[ChallengeKind | None],
    seed: str,
    rules: TournamentRules,
    catalogue: Catalogue,
) -> Group:
    if len(group.members) == 1:
        return group
    ids = [challenge_id(group.group_id, i) for i in range(1, len(kinds) + 1)]
    plans = (
        _plan(id_, str(id_), kind or _drawn_kind(id_, seed, rules, catalogue), type_, seed, rules, catalogue)
        for id_, kind in zip(ids, kinds, strict=True)
    )
    return group.model_copy(update={"challenges": tuple(plans)})


def replacement(
    state: TournamentState, challenge: ChallengeId, rules: TournamentRules, catalogue: Catalogue
) -> ChallengePlan:
    """Another challenge of the same kind and name for one that could not be prepared; on a model of like size.

    Another dataset when there is one. Raises UnservedError when the catalogue cannot serve it.
    """
    failed = next(c for c in state.challenges if c.challenge_id == challenge)
    round_ = next(r for r in state.rounds if r.plan.round_id == failed.round_id)
    number_ = failed.plan.replacement + 1
    others = [d for d in catalogue.datasets if d.dataset_id != failed.plan.dataset.dataset_id]
    has_other = any(d.kind is failed.plan.kind and d.rows >= rules.minimum_rows for d in others)
    offer = catalogue.model_copy(
        update={
            "datasets": tuple(others) if has_other else catalogue.datasets,
            "models": _like(failed.plan.model, catalogue.models),
        }
    )
    seed, label = str(state.tournament.seed), f"{challenge}#{number_}"
    plan = _plan(challenge, label, failed.plan.kind, round_.plan.type, seed, rules, offer)
    return plan.model_copy(update={"replacement": number_})


def _like(model: ModelInfo, models: Sequence[ModelInfo]) -> tuple[ModelInfo, ...]:
    """Models of 80 to 120 % of its parameters, itself included."""
    return tuple(m for m in models if 8 * model.parameters <= 10 * m.parameters <= 12 * model.parameters)


def _drawn_kind(id_: ChallengeId, seed: str, rules: TournamentRules, catalogue: Catalogue) -> ChallengeKind:
    """By the rules' probabilities among the kinds that the catalogue has datasets for."""
    on_offer = {dataset.kind for dataset in catalogue.datasets}
    chances = {kind: share for kind, share in sorted(rules.knockout_kinds.items()) if kind in on_offer}
    if not chances:
        raise UnservedError(f"{id_}: the catalogue has no dataset of {', '.join(sorted(rules.knockout_kinds))}")
    mark = Decimal(number(seed, f"{id_}:kind", SCALE)) / SCALE * sum(chances.values())
    bounds = zip(chances, accumulate(chances.values()), strict=True)
    return next(kind for kind, bound in bounds if mark < bound)


def _plan(
    id_: ChallengeId,
    label: str,
    kind: ChallengeKind,
    type_: RoundType,
    seed: str,
    rules: TournamentRules,
    catalogue: Catalogue,
) -> ChallengePlan:
    """Everything of it is drawn under its label: its name, and for a replacement its number.

    Only whether its model is a big one, and whether it counts the KL, are always drawn under its name: a replacement is
    like what it replaces.
    """
    dataset = _pick_dataset(label, kind, seed, rules, catalogue)
    return ChallengePlan(
        challenge_id=id_,
        kind=kind,
        seed=digest(seed, f"{label}:seed"),
        model=_pick_model(label, _model_range(id_, type_, seed, rules), seed, catalogue),
        dataset=dataset,
        training_seconds=_training_seconds(label, type_, dataset.rows, seed, rules),
        kl_coefficient=_kl_coefficient(id_, kind, seed, rules),
    )


def _kl_coefficient(id_: ChallengeId, kind: ChallengeKind, seed: str, rules: TournamentRules) -> float | None:
    if rules.kl is None or kind is not ChallengeKind.INSTRUCT:
        return None
    return float(rules.kl.coefficient) if _happens(seed, f"{id_}:kl", rules.kl.share) else None


def _happens(seed: str, label: str, chance: Decimal) -> bool:
    return Decimal(number(seed, label, SCALE)) / SCALE < chance


def _model_range(id_: ChallengeId, type_: RoundType, seed: str, rules: TournamentRules) -> Parameters:
    is_big = _happens(seed, f"{id_}:big", rules.big_model_share)
    return rules.big_models if type_ is RoundType.TITLE and is_big else rules.models[type_]


def _pick_model(label: str, size: Parameters, seed: str, catalogue: Catalogue) -> ModelInfo:
    fitting = [model for model in catalogue.models if size[0] <= model.parameters <= size[1]]
    if not fitting:
        raise UnservedError(f"{label}: the hub has no model of {size[0]:,} to {size[1]:,} parameters; add one")
    return _one_of(fitting, seed, f"{label}:model")


def _pick_dataset(
    label: str, kind: ChallengeKind, seed: str, rules: TournamentRules, catalogue: Catalogue
) -> DatasetInfo:
    fitting = [d for d in catalogue.datasets if d.kind is kind and d.rows >= rules.minimum_rows]
    if not fitting:
        raise UnservedError(f"{label}: the hub has no {kind} dataset of at least {rules.minimum_rows} rows; add one")
    return _one_of(fitting, seed, f"{label}:dataset")


def _one_of(choices: Sequence[Choice], seed: str, label: str) -> Choice:
    return choices[number(seed, label, len(choices))]


def _training_seconds(label: str, type_: RoundType, rows: int, seed: str, rules: TournamentRules) -> float:
    if rules.fixed_seconds is not None:
        return rules.fixed_seconds
    if type_ is RoundType.GROUP:
        return rules.group_seconds
    band = next((band for band in rules.hours if rows <= band.most_rows), rules.hours[-1])
    return 3600.0 * (band.least + number(seed, f"{label}:hours", band.most - band.least + 1))
