"""What becomes of a flow run whose worker is killed."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from embedded.addresses import recorded
from embedded.processes import FLOW_RUN
from embedded.state import REPOSITORY
from tests.embedded.conftest import House, until

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres]

WORKER = "worker-control"


class Doze:
    """A flow run of the control pool that lasts until it is woken."""

    def __init__(self, house: House, bell: Path) -> None:
        addresses = recorded(house.state)
        assert addresses is not None
        self._bell = bell
        self._api = addresses.environment["PREFECT_API_URL"]
        program = [sys.executable, "-m", "tests.embedded.dozing", str(bell)]
        environment = {**os.environ, **addresses.environment, "PREFECT_HOME": str(house.state.prefect)}
        started = subprocess.run(program, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        self._id = started.stdout.split()[-1]
        until(lambda: self.state()["type"] == "RUNNING")

    def state(self) -> dict[str, str]:
        with urllib.request.urlopen(f"{self._api}/flow_runs/{self._id}") as answer:
            return dict(json.load(answer)["state"])

    def process(self) -> psutil.Process:
        return next(p for p in psutil.process_iter() if self._owns(p))

    def wake(self) -> None:
        self._bell.touch()

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(FLOW_RUN) == self._id
        except psutil.Error:
            return False


def kill_worker(house: House) -> None:
    killed = house.programs()[WORKER].pid
    os.kill(killed, signal.SIGKILL)
    until(lambda: house.programs()[WORKER].pid not in (0, killed))


def test_a_flow_run_goes_on_without_its_worker(house: House, tmp_path: Path) -> None:
    doze = Doze(house, tmp_path / "bell")
    process = doze.process()
    kill_worker(house)
    house.until_healthy()
    assert process.is_running()
    assert doze.state()["type"] == "RUNNING"
    doze.wake()
    until(lambda: doze.state()["type"] == "COMPLETED")


def test_a_flow_run_that_was_killed_with_its_worker_is_marked_by_the_next(house: House, tmp_path: Path) -> None:
    doze = Doze(house, tmp_path / "bell")
    process = doze.process()
    os.kill(house.programs()[WORKER].pid, signal.SIGKILL)
    process.kill()
    until(lambda: doze.state()["type"] == "CRASHED")
    assert doze.state()["message"] == "Its process is gone."
