"""The embedded services as an operator has them: started by `god up` in a folder of their own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from embedded.processes import marked
from embedded.reporting import ServiceReport, status
from embedded.state import REPOSITORY, State
from embedded.supervisor import ProcessInfo, Supervisor

GIVEN = ("GOD_DATABASE", "GOD_ARTIFACTS", "PREFECT_", "GOD_EMBEDDED", "GOD_STATE")
HEALTHY_SECONDS = 120.0


@dataclass
class House:
    """One state folder, and the `god` command on it."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return State(self.folder)

    def god(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(**self.command(*words), capture_output=True, text=True)

    def command(self, *words: str) -> dict[str, object]:
        """Arguments of a `subprocess` call."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(GIVEN)}
        environment = {**clean, **self.settings, "GOD_STATE": str(self.folder), "COLUMNS": "200"}
        return {"args": [sys.executable, "-m", "cli", *words], "env": environment, "cwd": REPOSITORY}

    def up(self) -> subprocess.CompletedProcess[str]:
        ended = self.god("up")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def reports(self) -> dict[str, ServiceReport]:
        return {report.name: report for report in status(self.state)}

    def programs(self) -> dict[str, ProcessInfo]:
        return Supervisor(self.state).processes()

    def processes(self) -> list[psutil.Process]:
        return marked(self.state)

    def until_healthy(self) -> None:
        until(lambda: all(report.is_well for report in self.reports().values()), HEALTHY_SECONDS)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.2)


@contextmanager
def _house(**settings: str) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="god-house-") as folder:
        house = House(Path(folder) / "state", settings)
        try:
            yield house
        finally:
            ended = house.god("down")
            assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="session")
def running() -> Iterator[House]:
    """Started once for all tests; each leaves it running."""
    with _house() as house:
        house.up()
        yield house


@pytest.fixture
def house(running: House) -> House:
    """Running and healthy."""
    running.up()
    running.until_healthy()
    return running


@pytest.fixture
def make_house() -> Iterator[Callable[..., House]]:
    """Houses of this test's own, not started yet."""
    with ExitStack() as houses:
        yield lambda **settings: houses.enter_context(_house(**settings))
