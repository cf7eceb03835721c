"""Which rows of a tournament are in force."""

from core.ids import CHAMPION, MIRROR, Contestant
from core.tournament import RoundResult, RoundStatus, RoundType, TournamentState
from tests import builders
from tests.tournament.states import active, with_round
from tournament.rounds import challenges_of_type, contenders_of, last_result, meetings, undecided_pairs
from tournament.rules import DEMO

ONE, TWO, THREE, FOUR = (Contestant(builders.hotkey(number)) for number in range(1, 5))
KNOCKOUT, TITLE = RoundType.KNOCKOUT, RoundType.TITLE


def rounds(*drawn, through=()) -> TournamentState:
    """Rounds of these types, groups and states; `through` are those whom each closed one lets through."""
    state = active([*builders.entries(4), builders.refused_entry(5)], DEMO)
    results: list[RoundResult] = []
    for number, (type_, groups, status) in enumerate(drawn, start=1):
        plan = builders.round_plan(*groups, number=number, type=type_)
        state = with_round(state, plan)
        *earlier, last = state.rounds
        state = state.model_copy(update={"rounds": (*earlier, last.model_copy(update={"status": status}))})
        if status is RoundStatus.CLOSED:
            result = builders.round_result(plan)
            on = through[len(results)]
            standings = [s.model_copy(update={"advances": s.contestant in on}) for s in result.standings]
            results.append(result.model_copy(update={"standings": tuple(standings)}))
    return state.model_copy(update={"results": tuple(results)})


CLOSED, PLAYING, SUPERSEDED = RoundStatus.CLOSED, RoundStatus.PLAYING, RoundStatus.SUPERSEDED
PAIRS = (KNOCKOUT, [(ONE, TWO), (THREE, FOUR)], CLOSED)


def test_before_the_first_round_all_accepted_entrants_play_but_the_disqualified():
    state = rounds()
    assert contenders_of(state) == [ONE, TWO, THREE, FOUR]
    assert contenders_of(state.model_copy(update={"disqualified": {TWO: "copied"}})) == [ONE, THREE, FOUR]


def test_later_those_whom_the_last_closed_round_let_through():
    state = rounds(
        PAIRS, (KNOCKOUT, [(ONE, FOUR)], CLOSED), (TITLE, [(CHAMPION, FOUR)], PLAYING), through=[{ONE, FOUR}, {FOUR}]
    )
    assert last_result(state).number == 2 and contenders_of(state) == [FOUR]


def test_champion_and_mirror_are_no_contenders_when_a_title_match_goes_on():
    state = rounds((TITLE, [(CHAMPION, ONE, MIRROR)], CLOSED), through=[{CHAMPION, ONE, MIRROR}])
    assert contenders_of(state) == [ONE]


def test_a_superseded_round_is_as_if_it_had_never_been():
    """After a revision of round 1 the title match is drawn once more."""
    state = rounds(
        PAIRS, (TITLE, [(CHAMPION, ONE)], SUPERSEDED), (TITLE, [(CHAMPION, FOUR)], PLAYING), through=[{ONE, FOUR}]
    )
    assert [c.challenge_id for c in challenges_of_type(state, TITLE)] == ["text-0001-r3-g1-c1"]
    assert challenges_of_type(state, TITLE, CLOSED) == []
    assert last_result(state).number == 1


def test_undecided_are_pairs_of_the_last_round_of_which_both_go_through():
    assert undecided_pairs(rounds(PAIRS, through=[{ONE, THREE, FOUR}])) == [(THREE, FOUR)]
    assert undecided_pairs(rounds(PAIRS, through=[{ONE, FOUR}])) == []
    assert undecided_pairs(rounds((KNOCKOUT, [(ONE, TWO), (THREE,)], CLOSED), through=[{ONE, THREE}])) == []
    assert undecided_pairs(rounds((RoundType.GROUP, [(ONE, TWO)], CLOSED), through=[{ONE, TWO}])) == []
    assert undecided_pairs(rounds((TITLE, [(CHAMPION, ONE)], CLOSED), through=[{CHAMPION, ONE}])) == []


def test_a_ties_meetings_are_those_of_the_rounds_before_in_their_order():
    again = (KNOCKOUT, [(FOUR, THREE), (ONE,)], CLOSED)
    state = rounds(PAIRS, again, (KNOCKOUT, [(THREE, FOUR), (ONE,)], PLAYING), through=[{ONE, THREE, FOUR}] * 2)
    last = state.rounds[2]
    played = [challenge.challenge_id for challenge in meetings(state, last.plan.groups[0], last)]
    assert played == ["text-0001-r1-g2-c1", "text-0001-r2-g1-c1", "text-0001-r3-g1-c1"]
    second = state.rounds[1]
    assert len(meetings(state, second.plan.groups[0], second)) == 2


def test_meetings_of_a_group_round_are_no_part_of_a_tie():
    state = rounds((RoundType.GROUP, [(ONE, TWO)], CLOSED), (KNOCKOUT, [(ONE, TWO)], PLAYING), through=[{ONE, TWO}])
    last = state.rounds[1]
    assert [c.challenge_id for c in meetings(state, last.plan.groups[0], last)] == ["text-0001-r2-g1-c1"]
