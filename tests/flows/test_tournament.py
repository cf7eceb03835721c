from pathlib import Path

import pytest

from core.tournament import TournamentStatus
from flows.opening import open_tournament
from gateways.wiring import use_ports
from tests import builders
from tests.flows.play import Play

pytestmark = pytest.mark.prefect


def test_a_whole_tournament_from_links_to_weights(inline: Path) -> None:
    play = Play(inline, {0: "2.0", 1: "1.0", 2: "1.5", 3: "crash", 4: "base", 5: "1.9", 6: "1.0"})
    with use_ports(play.ports):
        id_ = open_tournament(rules="demo", first_champion=builders.hotkey(0))
        state = play.ports.tournaments.load(id_)
    assert state.tournament.status is TournamentStatus.FINISHED
