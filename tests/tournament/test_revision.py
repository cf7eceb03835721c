"""A round is decided again by the state that it was decided by, and by what is known now."""

from core.ids import CHAMPION, Contestant
from core.tournament import RoundStatus
from tests import builders
from tests.tournament.states import active, by_skill, play
from tournament.ranking import close_round
from tournament.revision import as_of
from tournament.rules import DEMO

SKILL = {Contestant(builders.hotkey(number)): 1 + number / 8 for number in range(1, 7)} | {CHAMPION: 2.0}
PLAYED = play(active(builders.entries(6), DEMO), DEMO, by_skill(SKILL))


def test_every_round_of_a_whole_tournament_is_decided_as_it_was():
    assert len(PLAYED.rounds) > 2
    for result in PLAYED.results:
        then = as_of(PLAYED, result.number)
        assert close_round(then, then.rounds[-1], DEMO, {}).standings == result.standings


def test_later_rounds_and_results_are_not_seen():
    then = as_of(PLAYED, 2)
    assert [round_.plan.number for round_ in then.rounds] == [1, 2]
    assert [result.number for result in then.results] == [1]
    assert {round_.status for round_ in then.rounds} == {RoundStatus.CLOSED}


def test_who_is_disqualified_since_loses_the_place():
    best = Contestant(builders.hotkey(1))
    then = as_of(PLAYED.model_copy(update={"disqualified": {best: "copied code"}}), 1)
    standings = {s.contestant: s for s in close_round(then, then.rounds[-1], DEMO, {}).standings}
    assert not standings[best].advances and "copied code" in str(standings[best].reason)
    assert sum(s.advances for s in standings.values()) == sum(s.advances for s in PLAYED.results[0].standings)
