"""A process that dies just before and just after every effect that it has, until nothing is left to die at."""

import subprocess
import sys

import pytest

from tests.flows.ledger import check_once, check_result, known
from tests.flows.mortal import EFFECTS
from tests.flows.staging import KILLED, Stage

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres, pytest.mark.sandbox]

LOSSES = {0: "2.0", 1: "1.0", 2: "1.25", 3: "1.5", 4: KILLED}


@pytest.mark.timeout(1200)
def test_a_tournament_that_is_killed_at_every_step_ends_as_if_nothing_had_happened(stage: Stage) -> None:
    stage.enter(LOSSES)
    command = [sys.executable, "-m", "tests.flows.mortal", str(stage.folder)]
    assert subprocess.run(command, env=stage.environment()).returncode == 0
    deaths = (stage.folder / "deaths").read_text().splitlines()
    for side in ("before", "after"):
        died = {point.split()[1] for point in deaths if point.startswith(side)}
        assert died == {f"{port}.{method}" for port, methods in EFFECTS.items() for method in methods}
    check_result(stage.ports, known(LOSSES))
    check_once(stage, stage.ports)
