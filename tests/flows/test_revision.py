"""Results are decided again: as a new revision, by the same outcomes."""

from pathlib import Path

import pytest

from core.compute import Ending
from core.errors import Fault, PrerequisiteError, StaleStateError
from core.ids import Contestant, TournamentId, challenge_id, group_id, round_id, training_id
from core.tournament import RoundStatus, TournamentKind, TournamentState, TournamentStatus
from flows.opening import open_tournament
from flows.revision import revise_tournament
from flows.sweep import sweep
from gateways.wiring import use_ports
from tests import builders
from tests.flows.play import Play
from tournament import rules
from tournament.evidence import Evidence

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

ID = TournamentId("text-0001")
HASTY = rules.DEMO.model_copy(update={"name": "hasty/1", "platform_attempts": 1})


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.NAMED, "hasty", {TournamentKind.TEXT: HASTY})


def opened(play: Play) -> TournamentState:
    """After the first flow run of a tournament."""
    open_tournament(rules="hasty", first_champion=builders.hotkey(0))
    return play.ports.tournaments.load(ID)


def test_a_finished_title_is_decided_again_and_the_weights_follow(inline: Path) -> None:
    play = Play(inline, {0: "2.0", 1: "1.0", 2: "1.5"})
    with use_ports(play.ports):
        finished = opened(play).tournament
        assert finished.title is not None and finished.title.winner == builders.hotkey(1)
        assert not revise_tournament(ID, 0), "without news the title is the same"
        assert play.ports.tournaments.load(ID).tournament == finished and len(play.chain.receipts) == 1
        with pytest.raises(PrerequisiteError, match="round 0"):
            revise_tournament(ID, 1)
        assert revise_tournament(ID, 0, builders.hotkey(1), "copied code")
        revised = play.ports.tournaments.load(ID)
        check_revised(play, revised)
        assert not revise_tournament(ID, 0, builders.hotkey(1), "copied code")
        sweep()
    assert play.ports.tournaments.load(ID) == revised and len(play.chain.receipts) == 2


def check_revised(play: Play, state: TournamentState) -> None:
    tournament, setting = state.tournament, play.ports.weights.latest()
    assert tournament.status is TournamentStatus.FINISHED and tournament.title_revision == 2
    assert tournament.title is not None and tournament.title.winner == builders.hotkey(0)
    assert setting is not None and builders.hotkey(1) not in setting.weights
    evidence = Evidence.model_validate_json(play.ports.artifacts.get_bytes(setting.evidence))
    assert evidence.tournaments[0].title == tournament.title


def test_a_round_is_decided_again_and_those_after_it_are_drawn_anew(inline: Path) -> None:
    """The second round waits for the operator, who finds that one of its two has copied his code."""
    play = Play(inline, {0: "2.0", 1: "1.0", 2: "1.25", 3: "1.5", 4: "1.75"})
    final = challenge_id(group_id(round_id(ID, 2), 1), 1)
    lost = [training_id(final, Contestant(builders.hotkey(number))) for number in (1, 2)]
    play.compute.endings.update({f"{training}-a1": Ending.LOST for training in lost})
    with use_ports(play.ports):
        assert opened(play).tournament.status is TournamentStatus.HALTED
        check_objections()
        assert not revise_tournament(ID, 1), "the standings are the same"
        assert revise_tournament(ID, 1, builders.hotkey(1), "copied code")
        assert not revise_tournament(ID, 1, builders.hotkey(1), "copied code")
        check_superseded(play.ports.tournaments.load(ID))
        play.ports.tournaments.resume(ID)
        sweep()
        state = play.ports.tournaments.load(ID)
    assert [round_.status for round_ in state.rounds] == [RoundStatus.CLOSED, RoundStatus.SUPERSEDED, *2 * ["closed"]]
    assert set(state.rounds[2].plan.groups[0].members) == set(builders.contestants(2, 3))
    assert state.tournament.title is not None and state.tournament.title.winner == builders.hotkey(2)


def check_objections() -> None:
    with pytest.raises(PrerequisiteError, match="no title yet"):
        revise_tournament(ID, 0)
    with pytest.raises(PrerequisiteError, match="no round 9"):
        revise_tournament(ID, 9)
    with pytest.raises(PrerequisiteError, match="both"):
        revise_tournament(ID, 1, builders.hotkey(1))
    with pytest.raises(StaleStateError, match="no accepted entry"):
        revise_tournament(ID, 1, builders.hotkey(0), "the champion has not entered")


def check_superseded(state: TournamentState) -> None:
    assert [round_.status for round_ in state.rounds] == [RoundStatus.CLOSED, RoundStatus.SUPERSEDED]
    (result,) = state.results
    assert result.revision == 2
    fallen = next(s for s in result.standings if s.contestant == builders.hotkey(1))
    assert (fallen.value, fallen.advances, fallen.fault) == (None, False, Fault.MINER)
    assert "copied code" in str(fallen.reason)
    assert {s.contestant for s in result.standings if s.advances} == set(builders.contestants(2, 3))
