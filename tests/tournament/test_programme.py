from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.challenge import Catalogue, ChallengeKind
from core.ids import CHAMPION
from core.tournament import RoundType
from tests import builders
from tests.tournament.states import CATALOGUE, active, all_of, with_round
from tournament.programme import draw_round, replacement
from tournament.rules import (
    CALIBRATED_TEXT,
    CLASSIC_TEXT,
    DEMO,
    NAMED,
    HoursBand,
    KlRule,
    PooledTitle,
    TournamentRules,
    named,
    with_kinds,
)

seeds = st.binary(min_size=32, max_size=32).map(bytes.hex)
KINDS = (ChallengeKind.INSTRUCT, ChallengeKind.DPO, ChallengeKind.GRPO)
WIDE = Catalogue(
    models=tuple(
        builders.model(name, parameters=size)
        for name, size in (("small", 10**9), ("middle", 8 * 10**9), ("big", 30 * 10**9))
    ),
    datasets=tuple(builders.dataset(kind.value, kind=kind, rows=30_000) for kind in KINDS),
)


def plans(count: int, seed: str, rules: TournamentRules = CLASSIC_TEXT, catalogue: Catalogue = WIDE):
    round_ = draw_round(active(builders.entries(count), rules, seed), 1, rules, catalogue)
    return round_.type, [plan for group in round_.groups for plan in group.challenges]


@given(seeds)
def test_a_group_has_one_instruct_challenge_of_a_small_model_and_two_hours(seed):
    type_, (plan,) = plans(20, seed)
    assert type_ is RoundType.GROUP and plan.kind is ChallengeKind.INSTRUCT
    assert plan.model.parameters <= 4 * 10**9 and plan.training_seconds == 7200


@given(seeds)
def test_a_pairs_model_and_clock(seed):
    type_, drawn = plans(8, seed)
    assert type_ is RoundType.KNOCKOUT and len(drawn) == 4
    assert all(plan.model.parameters <= 12 * 10**9 for plan in drawn)
    assert {plan.training_seconds / 3600 for plan in drawn} <= {3, 4, 5}


def test_the_kinds_of_pairs_come_in_the_rules_proportions():
    drawn = Counter(plan.kind for i in range(250) for plan in plans(8, f"{i:064x}")[1])
    shares = {kind: drawn[kind] / 1000 for kind in KINDS}
    expected = {ChallengeKind.INSTRUCT: 0.5, ChallengeKind.DPO: 0.1875, ChallengeKind.GRPO: 0.3125}
    assert all(abs(shares[kind] - expected[kind]) < 0.05 for kind in KINDS)


def test_the_title_match_sets_two_of_each_kind_and_a_fifth_of_them_big():
    drawn = [plans(1, f"{i:064x}") for i in range(200)]
    assert all(type_ is RoundType.TITLE for type_, _ in drawn)
    assert all(Counter(plan.kind for plan in six) == dict.fromkeys(KINDS, 2) for _, six in drawn)
    big = sum(plan.model.parameters > 12 * 10**9 for _, six in drawn for plan in six)
    assert abs(big / 1200 - 0.2) < 0.04


@given(seeds)
def test_no_two_challenges_share_a_seed(seed):
    _, drawn = plans(14, seed)
    assert len({plan.seed for plan in drawn}) == len(drawn)


def test_only_kinds_that_the_hub_has_are_drawn():
    instruct = WIDE.model_copy(update={"datasets": (builders.dataset(rows=30_000),)})
    assert {plan.kind for plan in plans(14, "5e" * 32, catalogue=instruct)[1]} == {ChallengeKind.INSTRUCT}


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        (WIDE.model_copy(update={"models": ()}), "no model of 100,000,000 to"),
        (WIDE.model_copy(update={"datasets": ()}), "no dataset"),
        (WIDE.model_copy(update={"datasets": (builders.dataset(rows=1999),)}), "at least 2000 rows"),
    ],
)
def test_a_hub_that_cannot_serve_is_named(catalogue, message):
    with pytest.raises(ValueError, match=message):
        plans(14, "5e" * 32, catalogue=catalogue)


@given(seeds)
def test_a_replacement_of_any_challenge_has_its_kind_and_a_model_of_like_size(seed):
    """A big model's as well: whether it is big is not drawn again."""
    state = active(builders.entries(1), CLASSIC_TEXT, seed)
    state = with_round(state, draw_round(state, 1, CLASSIC_TEXT, WIDE))
    for challenge in state.challenges:
        plan = replacement(state, challenge.challenge_id, CLASSIC_TEXT, WIDE)
        assert (plan.kind, plan.replacement) == (challenge.plan.kind, 1) and plan.seed != challenge.plan.seed
        assert abs(plan.model.parameters / challenge.plan.model.parameters - 1) <= 0.2


def with_kl(share: str) -> TournamentRules:
    kl = KlRule(share=Decimal(share), coefficient=Decimal("0.1"))
    return all_of(ChallengeKind.INSTRUCT, CALIBRATED_TEXT).model_copy(update={"kl": kl})


@pytest.mark.parametrize("share", ["0", "0.2", "0.5", "1"])
def test_so_many_instruct_challenges_count_the_kl_as_the_rules_say(share):
    rules = with_kl(share)
    drawn = [plan.kl_coefficient for i in range(400) for plan in plans(1, f"{i:064x}", rules)[1]]
    assert set(drawn) <= {None, 0.1} and len(drawn) == 1200
    off = abs(sum(counted is not None for counted in drawn) / 1200 - float(share))
    assert off <= (0.04 if share in ("0.2", "0.5") else 0)


def test_the_calibrated_rules_count_the_kl_in_a_fifth_and_the_classic_ones_never():
    assert KlRule(share=Decimal("0.2"), coefficient=Decimal("0.1")) == CALIBRATED_TEXT.kl
    assert CLASSIC_TEXT.kl is None


@given(seeds, st.sampled_from([1, 3, 8, 20]))
def test_the_kl_changes_nothing_else_of_a_draw_and_no_other_kind_counts_it(seed, entrants):
    mixed = CALIBRATED_TEXT.model_copy(update={"kl": with_kl("1").kl})
    _, plain = plans(entrants, seed, mixed.model_copy(update={"kl": None}))
    _, drawn = plans(entrants, seed, mixed)
    assert [plan.model_copy(update={"kl_coefficient": None}) for plan in drawn] == plain
    assert all((plan.kl_coefficient is not None) == (plan.kind is ChallengeKind.INSTRUCT) for plan in drawn)


def test_big_models_and_the_kl_are_drawn_apart():
    rules = with_kl("0.5")
    drawn = [plan for i in range(100) for plan in plans(1, f"{i:064x}", rules)[1]]
    big = [plan for plan in drawn if plan.model.parameters > 12 * 10**9]
    assert 0 < sum(plan.kl_coefficient is not None for plan in big) < len(big)


@given(seeds)
def test_a_replacement_counts_the_kl_where_what_it_replaces_does(seed):
    rules = with_kl("0.5")
    state = active(builders.entries(1), rules, seed)
    state = with_round(state, draw_round(state, 1, rules, WIDE))
    for challenge in state.challenges:
        again = replacement(state, challenge.challenge_id, rules, WIDE)
        assert again.kl_coefficient == challenge.plan.kl_coefficient


def test_a_replacement_has_another_dataset_where_there_is_one():
    for i in range(20):
        state = active(builders.entries(4), DEMO, f"{i:064x}")
        two = CATALOGUE.model_copy(update={"datasets": (builders.dataset("one"), builders.dataset("two"))})
        state = with_round(state, draw_round(state, 1, DEMO, two))
        (challenge,) = state.challenges
        other = replacement(state, challenge.challenge_id, DEMO, two).dataset
        assert other != challenge.plan.dataset
        alone = CATALOGUE.model_copy(update={"datasets": (challenge.plan.dataset,)})
        assert replacement(state, challenge.challenge_id, DEMO, alone).dataset == challenge.plan.dataset


def test_only_where_a_duel_is_due_the_mirror_plays():
    for duel, members in ((True, 3), (False, 2)):
        rules = CALIBRATED_TEXT.model_copy(update={"title": PooledTitle(duel=duel)})
        (group,) = draw_round(active(builders.entries(1), rules), 1, rules, WIDE).groups
        assert len(group.members) == members


def test_the_demo_sets_its_own_clock():
    _, drawn = plans(5, "5e" * 32, DEMO, CATALOGUE)
    assert [plan.training_seconds for plan in drawn] == [DEMO.fixed_seconds]


def test_the_champion_meets_the_challenger_on_the_same_challenges():
    round_ = draw_round(active(builders.entries(1), DEMO), 1, DEMO, CATALOGUE)
    assert round_.groups[0].members == (CHAMPION, builders.hotkey(1))
    assert len(round_.groups[0].challenges) == 3


def test_rules_survive_their_row():
    for rules in (rules for kinds in NAMED.values() for rules in kinds.values()):
        assert TournamentRules.model_validate(rules.model_dump(mode="json")) == rules


def test_rules_under_which_a_round_would_not_get_smaller_are_refused():
    with pytest.raises(ValueError, match="would not get smaller"):
        TournamentRules(name="bad", knockout_limit=3, group_least=2, group_advance=8, emission=DEMO.emission)


def test_unknown_rules_are_named():
    with pytest.raises(ValueError, match="no rules named 'fancy'"):
        named("fancy")


def test_hours_follow_the_rows():
    rules = CLASSIC_TEXT.model_copy(update={"hours": (HoursBand(most_rows=10**9, least=7, most=7),)})
    assert plans(2, "5e" * 32, rules)[1][0].training_seconds == 7 * 3600
    assert Decimal("0.2") == CLASSIC_TEXT.big_model_share


@pytest.mark.parametrize(("rows", "hours"), [(10_000, {1, 2, 3}), (10_001, {2, 3, 4}), (900_000, {4, 5, 6})])
def test_the_hours_of_the_reference(rows, hours):
    """reference_serving §9; above 500,000 rows it fails, here the last band goes on."""
    catalogue = WIDE.model_copy(update={"datasets": tuple(builders.dataset(k.value, kind=k, rows=rows) for k in KINDS)})
    drawn = [plan for i in range(20) for plan in plans(14, f"{i:064x}", catalogue=catalogue)[1]]
    assert {plan.training_seconds / 3600 for plan in drawn} == hours


def test_stated_kinds_take_the_place_of_the_rules_own():
    kinds = (ChallengeKind.CHAT, ChallengeKind.GRPO, ChallengeKind.CHAT)
    rules = with_kinds(DEMO, kinds)
    assert rules.group_kind is ChallengeKind.CHAT and rules.title_kinds == (ChallengeKind.CHAT, ChallengeKind.GRPO)
    assert set(rules.knockout_kinds) == set(kinds)
    assert with_kinds(DEMO, ()) == DEMO
