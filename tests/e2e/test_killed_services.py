"""`god up` with its real workers, while each of its parts is killed in turn: the tournament goes on to its end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.compute import Ending
from core.errors import Fault
from embedded.addresses import DSN, S3_ACCESS_KEY, S3_ENDPOINT, S3_SECRET_KEY, recorded
from gateways.compute.runs import Run
from gateways.settings import ArtifactSettings
from tests import builders
from tests.embedded.conftest import House, until
from tests.evaluators.conftest import save_base
from tests.flows.blows import kill_bubblewrap, running, work_of
from tests.flows.ledger import ONE_GOOD_END, Ends, check_once, check_result, the_tournament
from tests.flows.ledger import recorded as measured
from tests.flows.staging import Stage, is_over

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres, pytest.mark.sandbox]

NOISE = {0: "0.1", 1: "0.001", 2: "0.03"}
SECONDS = 5
SETTINGS = {
    "GOD_COMPUTE__DRIVER": "bubblewrap",
    "GOD_COMPUTE__SLOTS": "2",
    "GOD_CHAIN__BLOCK_SECONDS": "0.5",
    "GOD_CHAIN__WEIGHTS_RATE_LIMIT": "1000",
    "GOD_DISPATCH__STALE_SECONDS": "6",
    "GOD_REPOSITORIES__ALLOW_LOCAL": "true",
}
PATIENCE_SECONDS = 800.0


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="god-house-") as folder:
        Path(folder).chmod(0o755)
        house = House(Path(folder) / "state", {**SETTINGS, "GOD_HUB__FOLDER": f"{folder}/hub"})
        make_hub(Path(folder) / "hub")
        try:
            house.up()
            yield house
        finally:
            house.god("down")


def make_hub(hub: Path) -> None:
    (hub / "datasets").mkdir(parents=True)
    save_base(hub / "models/god--tiny", hidden_size=64, intermediate_size=256)
    rows = [{"source": f"def f{n}(): return {n}", "docstring": f"Return {n}."} for n in range(2000)]
    (hub / "datasets/numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    card = {"kind": "InstructTextTask", "columns": {"instruct": "source", "output": "docstring"}}
    (hub / "datasets/numbers.json").write_text(json.dumps(card))


def stage_of(house: House) -> Stage:
    addresses = recorded(house.state)
    assert addresses is not None
    settings = addresses.environment
    artifacts = ArtifactSettings.model_validate(
        {
            "endpoint": settings[S3_ENDPOINT],
            "access_key": settings[S3_ACCESS_KEY],
            "secret_key": settings[S3_SECRET_KEY],
        }
    )
    return Stage(house.folder.parent, settings[DSN], artifacts)


def open_tournament(house: House) -> None:
    """As an operator does."""
    addresses = recorded(house.state)
    assert addresses is not None
    command = [str(Path(sys.executable).with_name("prefect")), "deployment", "run", "open-tournament/default"]
    command += ["--param", "rules=demo", "--param", f"first_champion={builders.hotkey(0)}"]
    subprocess.run(command, env={**os.environ, **addresses.environment}, check=True, capture_output=True)


class Killer:
    """Kills one part after another, each while another training or evaluation is running."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stage = stage_of(house)
        self._seen: set[str] = set()
        self.unlucky: dict[str, Ends] = {}

    def sandbox(self) -> None:
        run = self._next_run()
        kill_bubblewrap(run)
        self.unlucky[work_of(run)] = [(Ending.LOST, Fault.PLATFORM), *ONE_GOOD_END]

    def service(self, name: str, with_flow_runs: bool = False) -> None:
        """Kill it, and with a worker the processes of its flow runs; return when it is there again."""
        self._next_run()
        pid = self._house.programs()[name].pid
        family = psutil.Process(pid).children(recursive=True) if with_flow_runs else []
        os.kill(pid, signal.SIGKILL)
        for process in family:
            process.kill()
        until(lambda: self._house.programs()[name].pid not in (0, pid), PATIENCE_SECONDS)

    def _next_run(self) -> Run:
        until(lambda: bool(running(self._stage, self._seen)), PATIENCE_SECONDS)
        run = running(self._stage, self._seen)[0]
        self._seen.add(work_of(run))
        return run


@pytest.mark.timeout(1200)
def test_a_tournament_outlives_every_part_of_it(house: House) -> None:
    stage = stage_of(house)
    stage.enter(NOISE, SECONDS, Path(__file__).parent / "miner")
    open_tournament(house)
    killer = Killer(house)
    killer.sandbox()
    killer.service("worker-gpu-jobs", with_flow_runs=True)
    killer.service("worker-gpu-jobs")
    killer.service("worker-control", with_flow_runs=True)
    killer.service("prefect")
    killer.service("postgres")
    killer.service("s3")
    until(lambda: is_over(stage.ports), PATIENCE_SECONDS)
    check_result(stage.ports, measured(the_tournament(stage.ports)))
    check_once(stage, stage.ports, killer.unlucky)
