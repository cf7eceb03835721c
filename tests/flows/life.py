"""One life of a process that plays the tournament of a stage: `python -m tests.flows.life`.

Or of one that measures what waits there.
"""

import sys

from httpx import HTTPError
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from core.ports import Ports
from core.tournament import TournamentKind
from flows.opening import open_tournament
from flows.sweep import sweep
from gateways.wiring import settings, use_ports
from tasks.runs import remove_finished_runs
from tests import builders
from tests.flows.crowding import measure_all, waiting
from tests.flows.staging import is_over, staged_ports


def live(ports: Ports) -> None:
    """As an operator would: open a tournament unless there is one; the sweep does the rest, until all is over."""
    with use_ports(ports), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        while not is_over(ports):
            try:
                step(ports)
            except (HTTPError, PrefectHTTPStatusError) as error:
                print("the next run follows, as if by its schedule:", error, file=sys.stderr)


def measure(ports: Ports) -> None:
    """As the flow runs of its evaluations do, until none waits and nothing is left over."""
    with use_ports(ports), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        while waiting(ports):
            measure_all(ports)
        remove_finished_runs.fn()


def step(ports: Ports) -> None:
    if ports.tournaments.latest(TournamentKind.TEXT) is None:
        open_tournament(rules="staged", first_champion=builders.hotkey(0))
    else:
        sweep()


if __name__ == "__main__":
    live(staged_ports(settings()))
