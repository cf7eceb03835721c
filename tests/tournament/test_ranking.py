from hypothesis import given
from hypothesis import strategies as st

from core.errors import Fault
from core.ids import CHAMPION, Contestant
from core.tournament import RoundType
from tests import builders
from tests.tournament.states import CATALOGUE, VALUES, active, by_skill, closed, play, played, prepared, with_round
from tournament.programme import draw_round
from tournament.rounds import contenders_of
from tournament.rules import CLASSIC_TEXT, DEMO

losses = st.one_of(VALUES, st.sampled_from(["crashed: exit code 1", "refused: not a fine-tune"]))


def first_round(skill, count, rules=DEMO):
    """The closed first round, and its standings by contestant."""
    state = active(builders.entries(count), rules)
    state = prepared(with_round(state, draw_round(state, 1, rules, CATALOGUE)))
    result = closed(played(state, by_skill(skill)), 1, rules).results[0]
    return {standing.contestant: standing for standing in result.standings}


def miners(values):
    return {Contestant(builders.hotkey(i)): value for i, value in enumerate(values, start=1)}


@given(st.lists(losses, min_size=4, max_size=20))
def test_a_better_loss_never_ranks_lower_and_who_failed_never_beats_who_scored(values):
    skill = miners(values)
    standings = first_round(skill, len(values))
    for one in skill:
        for other in skill:
            if isinstance(skill[one], float) and (isinstance(skill[other], str) or skill[one] < skill[other]):
                assert standings[one].rank < standings[other].rank
                assert standings[one].advances or not standings[other].advances


@given(st.lists(losses, min_size=4, max_size=20))
def test_only_who_scored_goes_through_and_never_more_than_there_are_places(values):
    through = [s for s in first_round(miners(values), len(values)).values() if s.advances]
    assert all(standing.value is not None for standing in through)
    assert len(through) == min(DEMO.group_advance, sum(isinstance(value, float) for value in values))


@given(st.lists(VALUES, min_size=5, max_size=20, unique=True), st.data())
def test_removing_an_entrant_never_flips_two_others(values, data):
    """Opponent independence."""
    gone = data.draw(st.integers(0, len(values) - 1))
    whole = first_round(miners(values), len(values))
    fewer = first_round(miners(values[:gone] + values[gone + 1 :]), len(values) - 1)
    before = [s.value for s in sorted(whole.values(), key=lambda s: s.rank) if s.value != values[gone]]
    assert before == [s.value for s in sorted(fewer.values(), key=lambda s: s.rank)]


def test_equal_losses_share_a_rank_and_the_earlier_entry_goes_through():
    standings = first_round(miners([1.0, 1.0, 1.0, 0.5]), 4)
    ranks = {builders.hotkey(i): standings[Contestant(builders.hotkey(i))].rank for i in range(1, 5)}
    assert ranks == {builders.hotkey(1): 2, builders.hotkey(2): 2, builders.hotkey(3): 2, builders.hotkey(4): 1}
    assert [h for h in ranks if standings[Contestant(h)].advances] == [builders.hotkey(1), builders.hotkey(4)]


def test_a_failure_is_told_with_its_reason_and_its_owner():
    standings = first_round(miners([1.0, 1.1, "crashed: exit code 1", "refused: not a fine-tune"]), 4)
    crashed, refused = (standings[Contestant(builders.hotkey(i))] for i in (3, 4))
    assert (crashed.reason, crashed.fault) == ("crashed: exit code 1", Fault.MINER)
    assert (refused.reason, refused.fault) == ("refused: not a fine-tune", Fault.MINER)
    assert not crashed.advances and not refused.advances


TWICE = DEMO.model_copy(update={"group_challenges": 2})


def after_two(**values):
    """Standings of a group of four that played two challenges; the others have 1 on both."""
    state = active(builders.entries(4), TWICE)
    state = prepared(with_round(state, draw_round(state, 1, TWICE, CATALOGUE)))
    numbers = {Contestant(builders.hotkey(int(name[1:]))): pair for name, pair in values.items()}
    state = played(state, lambda contestant, id_: numbers.get(contestant, (1.0, 1.0))[int(id_[-1]) - 1])
    return {standing.contestant: standing for standing in closed(state, 1, TWICE).results[0].standings}


def test_of_several_challenges_the_mean_merit_counts():
    """√(0.5 × 1.9) < 1 although the mean of the losses is 1.2: as in a title match, relative gains are averaged."""
    standings = after_two(m1=(0.5, 1.9), m2=(1.9, 0.5), m3=(0.9, 1.2))
    ranks = {name[:8]: (s.rank, s.value) for name, s in standings.items()}
    assert ranks == {"5Hotkey1": (1, 1.2), "5Hotkey2": (1, 1.2), "5Hotkey4": (3, 1.0), "5Hotkey3": (4, 1.05)}


def test_one_failure_of_several_leaves_no_result_and_the_miners_own_weighs_first():
    standings = after_two(m1=(0.5, "crashed"), m2=("ours: lost", "crashed"), m3=("ours: lost", 0.9))
    one, two, three = (standings[Contestant(builders.hotkey(number))] for number in (1, 2, 3))
    assert (one.value, one.fault, one.advances) == (None, Fault.MINER, False)
    assert (two.reason, two.fault, two.advances) == ("crashed", Fault.MINER, False)
    assert (three.reason, three.fault, three.advances) == ("ours: lost", Fault.PLATFORM, True)


def test_a_bye_goes_through_without_a_training():
    state = active(builders.entries(3), DEMO)
    state = prepared(with_round(state, draw_round(state, 1, DEMO, CATALOGUE)))
    assert len(state.trainings) == 2
    standings = closed(played(state, by_skill(miners([1.0, 1.1, 1.2]))), 1, DEMO).results[0].standings
    (bye,) = [s for s in standings if s.reason == "bye"]
    assert bye.advances and bye.value is None


def test_the_disqualified_go_no_further_not_even_by_a_bye():
    state = active(builders.entries(3), DEMO)
    state = prepared(with_round(state, draw_round(state, 1, DEMO, CATALOGUE)))
    state = closed(played(state, by_skill(miners([1.0, 1.1, 1.2]))), 1, DEMO)
    through = {s.contestant for s in state.results[0].standings if s.advances}
    assert len(through) == 2 and set(contenders_of(state)) == through
    for gone in through:
        left = contenders_of(state.model_copy(update={"disqualified": {gone: "copied"}}))
        assert set(left) == through - {gone}


def test_a_pair_without_a_valid_result_sends_nobody_on():
    rules = CLASSIC_TEXT.model_copy(update={"models": DEMO.models, "minimum_entrants": 2})
    standings = first_round(miners(["crashed", "crashed"]), 2, rules)
    assert not any(standing.advances for standing in standings.values())


def test_the_reigning_champion_may_play_as_an_entrant_too():
    """The placeholder of the title match is never mistaken for the hotkey (reference §9.7 no. 73, §1.2)."""
    champion = builders.champion(1, tree=builders.source("old"))
    state = active(builders.entries(4), DEMO, champion=champion)
    end = play(state, DEMO, by_skill(miners([0.5, 1.1, 1.2, 1.3]) | {CHAMPION: 1.0}))
    last = end.rounds[-1].plan
    assert last.type is RoundType.TITLE and set(last.groups[0].members) == {CHAMPION, builders.hotkey(1)}
    assert end.tournament.title.changed_hands and end.tournament.title.winner == builders.hotkey(1)
