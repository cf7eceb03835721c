"""Watch a tournament until its weights are on the chain. Only looks: flows and sweep carry it there."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from rich.console import Console
from rich.live import Live

from core.errors import GodError, TransientError
from core.ids import TournamentId
from core.ports import Ports
from core.tournament import TournamentState, TournamentStatus, WeightSetting
from demo.miners import NAMES
from demo.progress import Line, headline, lines
from demo.view import minutes, news, view

POLL_SECONDS = 0.5
STALL_SECONDS = 300.0
"""Nothing of a tournament may stand still for longer: its longest clock is far below."""
WEIGHTS_SECONDS = 120.0
OVER = (TournamentStatus.FINISHED, TournamentStatus.CANCELLED, TournamentStatus.HALTED)


class StalledError(GodError):
    """What should happen does not."""


class Screen(Protocol):
    def show(self, title: str, head: str, now: list[Line], elapsed_seconds: float) -> None: ...


class LiveScreen:
    """A table that moves."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, title: str, head: str, now: list[Line], elapsed_seconds: float) -> None:
        self._live.update(view(title, head, now, elapsed_seconds))


class PlainScreen:
    """One line for each change, where nobody looks at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._head, self._lines = "", list[Line]()

    def show(self, title: str, head: str, now: list[Line], elapsed_seconds: float) -> None:
        if head != self._head:
            self._print(f"{minutes(elapsed_seconds)}  {title}: {head}")
        for line in news(self._lines, now, elapsed_seconds):
            self._print(line)
        self._head, self._lines = head, now

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def follow(tournament_id: TournamentId, ports: Ports, console: Console, began: float) -> TournamentState:
    """Show it until it is over. Raises StalledError when nothing changes for STALL_SECONDS."""
    if not console.is_terminal:
        return _follow(tournament_id, ports, PlainScreen(console), began)
    with Live(console=console, refresh_per_second=4) as live:
        return _follow(tournament_id, ports, LiveScreen(live), began)


def _follow(tournament_id: TournamentId, ports: Ports, screen: Screen, began: float) -> TournamentState:
    known: TournamentState | None = None
    changed = time.monotonic()
    while True:
        state, head = _look(tournament_id, ports, known)
        if state != known:
            known, changed = state, time.monotonic()
        if known is not None:
            screen.show(tournament_id, head, lines(known, NAMES, datetime.now(UTC)), time.monotonic() - began)
            if known.tournament.status in OVER:
                return known
        if time.monotonic() - changed > STALL_SECONDS:
            raise StalledError(f"{tournament_id} has not moved for {STALL_SECONDS:.0f} s ({head}): see the logs")
        time.sleep(POLL_SECONDS)


def _look(
    tournament_id: TournamentId, ports: Ports, known: TournamentState | None
) -> tuple[TournamentState | None, str]:
    """The tournament now and a headline; the known one while our services do not answer."""
    try:
        state = ports.tournaments.load(tournament_id)
        return state, headline(state, ports.chain.block_number())
    except TransientError as error:
        return known, f"waits for our services: {error}"


def await_weights(
    tournament_id: TournamentId, ports: Ports, sleep: Callable[[float], None] = time.sleep
) -> WeightSetting:
    """The weights that follow from this tournament, once the chain has them. Raises StalledError."""
    deadline = time.monotonic() + WEIGHTS_SECONDS
    while time.monotonic() < deadline:
        setting = ports.weights.latest()
        if setting and setting.block_number is not None and _rests_on(setting, tournament_id, ports):
            return setting
        sleep(POLL_SECONDS)
    raise StalledError(
        f"the weights of {tournament_id} are not on the chain after {WEIGHTS_SECONDS:.0f} s: see the logs"
    )


def _rests_on(setting: WeightSetting, tournament_id: TournamentId, ports: Ports) -> bool:
    return f'"{tournament_id}"'.encode() in ports.artifacts.get_bytes(setting.evidence)
