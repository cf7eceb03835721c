from hypothesis import given
from hypothesis import strategies as st

from core.ids import CHAMPION, Contestant, round_id
from core.tournament import RoundType
from tests.builders import TEXT_1, hotkey
from tournament.draw import draw_groups, number, round_type
from tournament.rules import CLASSIC_TEXT, DEMO, NAMED

ROUND = round_id(TEXT_1, 1)
seeds = st.binary(min_size=32, max_size=32).map(bytes.hex)
fields = st.integers(1, 120).map(lambda count: [Contestant(hotkey(i)) for i in range(1, count + 1)])
rule_sets = st.sampled_from([rules for kinds in NAMED.values() for rules in kinds.values()])


@given(fields, seeds, rule_sets)
def test_everyone_is_drawn_exactly_once(contenders, seed, rules):
    groups = draw_groups(contenders, ROUND, seed, rules)
    drawn = [member for group in groups for member in group.members if member != CHAMPION]
    assert sorted(drawn) == sorted(contenders)


@given(fields, seeds, st.randoms())
def test_the_order_of_registration_never_matters(contenders, seed, random):
    shuffled = list(contenders)
    random.shuffle(shuffled)
    assert draw_groups(shuffled, ROUND, seed, CLASSIC_TEXT) == draw_groups(contenders, ROUND, seed, CLASSIC_TEXT)


@given(fields, seeds)
def test_groups_differ_by_at_most_one_and_pairs_leave_at_most_one_bye(contenders, seed):
    groups = draw_groups(contenders, ROUND, seed, CLASSIC_TEXT)
    sizes = [len(group.members) for group in groups]
    assert max(sizes) - min(sizes) <= 1
    if round_type(len(contenders), CLASSIC_TEXT) is RoundType.KNOCKOUT:
        assert sizes.count(1) == len(contenders) % 2 and set(sizes) <= {1, 2}


def test_the_structure_of_the_reference():
    """reference: ≤ 14 knockout; 15–39 one group, 40–64 two, 65–96 three."""
    assert round_type(14, CLASSIC_TEXT) is RoundType.KNOCKOUT and round_type(15, CLASSIC_TEXT) is RoundType.GROUP
    counts = {contenders: CLASSIC_TEXT.group_count(contenders) for contenders in (15, 39, 40, 64, 65, 96)}
    assert counts == {15: 1, 39: 1, 40: 2, 64: 2, 65: 3, 96: 3}


def test_the_last_one_meets_the_champion():
    (group,) = draw_groups([Contestant(hotkey(1))], ROUND, "00", DEMO)
    assert group.members == (CHAMPION, hotkey(1))


def test_another_seed_draws_otherwise():
    contenders = [Contestant(hotkey(i)) for i in range(1, 33)]
    assert draw_groups(contenders, ROUND, "00", CLASSIC_TEXT) != draw_groups(contenders, ROUND, "01", CLASSIC_TEXT)


def test_the_draw_can_be_repeated_by_a_stranger():
    """Golden: sha256("<seed>:<label>:<hotkey>") decides, so `printf | sha256sum` finds the same pairs."""
    contenders = [Contestant(name) for name in ("a", "b", "c")]
    groups = draw_groups(contenders, ROUND, "00" * 32, DEMO)
    assert [group.members for group in groups] == [("a", "c"), ("b",)]


@given(seeds, st.integers(1, 1000))
def test_a_drawn_number_is_below_its_bound(seed, below):
    assert 0 <= number(seed, "label", below) < below
