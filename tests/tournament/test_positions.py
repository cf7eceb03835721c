import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import CHAMPION, MIRROR, Contestant
from tests import builders
from tests.tournament.emission.documents import OLD, result, standings, title
from tests.tournament.states import active, by_skill, play
from tournament.positions import final_positions, released
from tournament.rules import DEMO

OUTS = [[5, 6, 7, 8], [3, 4], [2]]


def miner(number):
    return Contestant(builders.hotkey(number))


def order(positions):
    return [(place.position, place.contestant, place.round_number) for place in positions]


def test_winner_then_challenger_then_the_loser_of_the_last_pair():
    positions = final_positions(title(1), standings(OUTS, 1))
    assert order(positions)[:3] == [(1, CHAMPION, 4), (2, miner(1), 4), (3, miner(2), 3)]
    assert order(positions)[3:5] == [(4, miner(3), 2), (5, miner(4), 2)]
    assert order(positions)[5:] == [(6 + i, miner(5 + i), 1) for i in range(4)]
    assert [place.hotkey for place in positions][:2] == [OLD, builders.hotkey(1)]


def test_a_dethroned_champion_is_second():
    positions = final_positions(title(1, changed_hands=True), standings(OUTS, 1))
    assert order(positions)[:3] == [(1, miner(1), 4), (2, CHAMPION, 4), (3, miner(2), 3)]
    assert positions[1].hotkey == OLD


def test_without_a_challenger_the_second_position_is_vacant():
    level = [(miner(1), 1, False), (miner(2), 1, False)]
    positions = final_positions(title(None), [result(1, [(miner(3), 3, False)]), result(2, level, values=None)])
    assert order(positions) == [(1, CHAMPION, 2), (3, miner(1), 2), (3, miner(2), 2), (5, miner(3), 1)]


def test_level_contestants_of_different_groups_share_a_position():
    losers = result(1, [(miner(2), 2, False), (miner(3), 2, False), (miner(4), 3, False), (miner(1), 1, True)])
    final = result(2, [(CHAMPION, 1, True), (miner(1), 2, False)])
    positions = final_positions(title(1), [losers, final])
    assert [(place.position, place.contestant) for place in positions[2:]] == [
        (3, miner(2)),
        (3, miner(3)),
        (5, miner(4)),
    ]


def test_who_has_no_value_comes_after_all_of_the_round_who_have_one():
    """Its rank within a group where all else failed would be better than that of a loser elsewhere."""
    scored = result(1, [(miner(2), 9, False), (miner(1), 1, True)])
    failed = result(1, [(miner(3), 2, False)], values=None)
    both = scored.model_copy(update={"standings": (*failed.standings, *scored.standings)})
    positions = final_positions(title(1), [both, result(2, [(miner(1), 2, False)])])
    assert [place.contestant for place in positions[2:]] == [miner(2), miner(3)]


def test_a_decider_counts_as_the_round_in_which_its_loser_goes_out():
    """The pair (1, 2) meets twice while 3 and 4 are decided at once; they have byes in the decider."""
    pairs = result(1, [(miner(1), 1, True), (miner(2), 2, True), (miner(3), 1, True), (miner(4), 2, False)])
    decider = result(2, [(miner(1), 1, True), (miner(2), 2, False), (miner(3), 1, True)])
    last = result(3, [(miner(1), 1, True), (miner(3), 2, False)])
    positions = final_positions(
        title(1), [pairs, decider, last, result(4, [(CHAMPION, 1, True), (miner(1), 2, False)])]
    )
    assert order(positions)[2:] == [(3, miner(3), 3), (4, miner(2), 2), (5, miner(4), 1)]


def test_the_mirror_and_the_disqualified_have_no_position():
    final = result(3, [(CHAMPION, 1, True), (miner(1), 2, False), (MIRROR, 3, False)])
    results = [*standings([[3], [2]], None), final]
    assert [place.contestant for place in final_positions(title(1), results)] == [CHAMPION, *map(miner, (1, 2, 3))]
    positions = final_positions(title(1), results, disqualified=[builders.hotkey(2)])
    assert order(positions) == [(1, CHAMPION, 3), (2, miner(1), 3), (3, miner(3), 1)]


def test_a_challenger_who_is_disqualified_leaves_the_second_position_vacant():
    positions = final_positions(title(1), standings(OUTS, 1), disqualified=[builders.hotkey(1)])
    assert order(positions)[:2] == [(1, CHAMPION, 4), (3, miner(2), 3)]


@given(st.randoms(use_true_random=False), st.booleans())
def test_the_order_that_results_come_in_never_matters(random, changed_hands):
    results = list(standings(OUTS, 1))
    expected = final_positions(title(1, changed_hands), results)
    shuffled = [
        r.model_copy(update={"standings": tuple(random.sample(r.standings, len(r.standings)))}) for r in results
    ]
    random.shuffle(shuffled)
    assert final_positions(title(1, changed_hands), shuffled) == expected


@pytest.mark.parametrize("knockout_limit", [3, 14], ids=["groups first", "only pairs"])
def test_every_entrant_of_a_played_tournament_has_a_position(knockout_limit):
    rules = DEMO.model_copy(update={"knockout_limit": knockout_limit})
    skill = {miner(number): 2 + number / 10 for number in range(1, 12)} | {miner(12): "crashed: exit code 1"}
    state = play(active(builders.entries(12), rules), rules, by_skill({**skill, CHAMPION: 1.0, MIRROR: 1.0}))
    assert state.tournament.title is not None
    positions = final_positions(state.tournament.title, state.results)
    assert order(positions)[0][:2] == (1, CHAMPION) and positions[1].contestant == miner(1)
    assert sorted(place.contestant for place in positions) == sorted([CHAMPION, *map(miner, range(1, 13))])
    places = [place.position for place in positions]
    assert places == sorted(places)


def test_the_code_of_the_first_two_is_released():
    skill = {miner(1): 0.5, miner(2): 0.9, CHAMPION: 1.0, MIRROR: 1.0}
    state = play(active(builders.entries(2), DEMO), DEMO, by_skill(skill))
    assert state.tournament.title is not None and state.tournament.title.changed_hands
    first, second = released(state, final_positions(state.tournament.title, state.results))
    assert (first.position, first.repository, first.tree) == (1, builders.repository(1), builders.source(1))
    former = builders.champion()
    assert (second.hotkey, second.commit, second.tree) == (former.hotkey, former.commit, former.tree)
