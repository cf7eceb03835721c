"""The spy finds what is there to be found, and in the sandbox finds nothing."""

import importlib.util
import os
import socket
import time

import pytest

from core.compute import ContainerSpec, Ending, Limits, Mount
from core.contract import training_environment
from core.ids import TrainingId
from demo.miners import SCRIPTS, SPY
from demo.repositories import enter
from demo.summary import read_spy_log
from gateways.compute.local import LocalCompute
from gateways.settings import ComputeSettings

ARGUMENTS = (
    "--task-id",
    "task",
    "--expected-repo-name",
    "repository",
    "--model",
    "base",
    "--hours-to-complete",
    "0.01",
)


@pytest.fixture(scope="module")
def spy():
    spec = importlib.util.spec_from_file_location("spy", SCRIPTS / "spy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_sees_a_service_that_listens(spy, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert f"127.0.0.1:{server.getsockname()[1]}" in set(spy.network(tmp_path))


def test_it_sees_telling_variables_and_only_those(spy, tmp_path, monkeypatch):
    before = set(spy.environment(tmp_path))
    monkeypatch.setenv("GOD_DATABASE__DSN", "postgresql://")
    monkeypatch.setenv("MY_SECRET", "x")
    for name in (*training_environment("5e" * 32, TrainingId("text-0001-r1-g1-c1-m")), "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    assert set(spy.environment(tmp_path)) - before == {"GOD_DATABASE__DSN", "MY_SECRET"}


def test_it_sees_other_processes_and_readable_files(spy, tmp_path, monkeypatch):
    assert any(str(os.getpid()) != what.split()[1] for what in spy.processes(tmp_path))
    (tmp_path / "home" / "diary").mkdir(parents=True)
    (tmp_path / "home" / "diary" / "today").write_text("dear diary")
    monkeypatch.setattr(spy, "HOMES", (str(tmp_path / "home"),))
    monkeypatch.setattr(spy, "SECRETS", ())
    assert str(tmp_path / "home" / "diary") in set(spy.host_files(tmp_path))
    monkeypatch.setattr(spy, "PYTHON", {tmp_path / "home" / "diary"})
    assert str(tmp_path / "home" / "diary") not in set(spy.host_files(tmp_path))


@pytest.mark.sandbox
def test_the_sandbox_holds_against_all_of_it(tmp_path):
    claim = enter(SPY, tmp_path / "miners")
    (tmp_path / "train.json").write_text("[]")
    (tmp_path / "test.json").write_text("[]")
    compute = LocalCompute(ComputeSettings(driver="bubblewrap"), tmp_path / "compute")
    image = compute.build(
        tmp_path / "miners" / SPY.name, "dockerfiles/standalone-text-trainer.dockerfile", claim.commit
    )
    assert isinstance(image, str), image
    spec = ContainerSpec(
        name="spy-a1",
        image=image,
        command=ARGUMENTS,
        inputs=(Mount(source=str(tmp_path / "train.json"), target="/cache/datasets/task_train_data.json"),),
        output_target="/app/checkpoints",
        limits=Limits(seconds=60, memory_bytes=1 << 30, cpus=1),
    )
    status = run(compute, spec)
    with open(status.log_path, "rb") as log:
        report = read_spy_log(log.read())
    compute.remove(spec.name)
    assert status.ending is Ending.FINISHED
    assert report.escapes == ()
    assert report.is_whole
    assert len(report.held) == 8


def run(compute, spec):
    compute.start(spec)
    deadline = time.monotonic() + 90
    while not (status := compute.status(spec.name)).is_over:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return status
