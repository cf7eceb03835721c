"""The container stand-in: it must be as strict as a real one about names, ends and order."""

import threading
from pathlib import Path

import pytest

from core.compute import BuildFailure, ContainerSpec, Ending
from core.errors import Fault, PrerequisiteError
from gateways.memory import MemoryCompute
from tests import builders


def save(spec: ContainerSpec, output: Path) -> Ending:
    (output / "model").write_text(spec.name)
    return Ending.FINISHED


def crash(spec: ContainerSpec, output: Path) -> Ending:
    raise RuntimeError("out of luck")


def test_a_run_leaves_its_output_and_its_end(tmp_path: Path) -> None:
    compute = MemoryCompute(save, tmp_path)
    assert compute.status("run-1") is None
    compute.start(builders.container_spec("run-1"))
    status = compute.status("run-1")
    assert status is not None
    assert (status.ending, status.exit_code, status.is_over) == (Ending.FINISHED, 0, True)
    assert status.started_at is not None and status.ended_at is not None
    assert Path(status.output_path, "model").read_text() == "run-1"
    assert Path(status.log_path).read_text() == ""


def test_a_name_runs_once_ever(tmp_path: Path) -> None:
    compute = MemoryCompute(save, tmp_path)
    for _ in range(2):
        compute.start(builders.container_spec("run-1"))
    compute.remove("run-1")
    compute.start(builders.container_spec("run-1"))
    assert compute.ran == ["run-1"]


def test_a_script_that_raises_has_crashed(tmp_path: Path) -> None:
    compute = MemoryCompute(crash, tmp_path)
    compute.start(builders.container_spec("run-1"))
    status = compute.status("run-1")
    assert status is not None
    assert (status.ending, status.exit_code) == (Ending.CRASHED, 1)
    assert "RuntimeError: out of luck" in Path(status.log_path).read_text()


@pytest.mark.parametrize(
    ("ending", "is_saved"),
    [(Ending.LOST, False), (Ending.REFUSED, False), (Ending.KILLED, True), (Ending.TIME_UP, True)],
)
def test_an_end_can_be_imposed_on_a_name(tmp_path: Path, ending: Ending, is_saved: bool) -> None:
    compute = MemoryCompute(save, tmp_path)
    compute.endings["run-1"] = ending
    for name in ("run-1", "run-2"):
        compute.start(builders.container_spec(name))
    status, other = compute.status("run-1"), compute.status("run-2")
    assert status is not None and other is not None
    assert (status.ending, other.ending) == (ending, Ending.FINISHED)
    assert Path(status.output_path, "model").exists() is is_saved
    assert (status.started_at is None) is (ending is Ending.REFUSED)


def test_a_run_in_a_thread_can_be_watched_and_stopped(tmp_path: Path) -> None:
    go_on, finished = threading.Event(), threading.Event()

    def wait(spec: ContainerSpec, output: Path) -> Ending:
        assert go_on.wait(10)
        finished.set()
        return Ending.FINISHED

    compute = MemoryCompute(wait, tmp_path, threaded=True)
    compute.start(builders.container_spec("run-1"))
    running = compute.status("run-1")
    assert running is not None and not running.is_over
    compute.stop("run-1")
    go_on.set()
    assert finished.wait(10)
    stopped = compute.status("run-1")
    assert stopped is not None and stopped.ending is Ending.LOST, "the first end of a run is its end"


def test_removing_forgets_output_and_log(tmp_path: Path) -> None:
    compute = MemoryCompute(save, tmp_path)
    compute.start(builders.container_spec("run-1"))
    assert compute.names() == ["run-1"]
    for _ in range(2):
        compute.remove("run-1")
    compute.stop("run-1")
    assert (compute.names(), compute.status("run-1")) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_a_tag_is_built_once_from_a_tree_with_its_dockerfile(tmp_path: Path) -> None:
    compute = MemoryCompute(save, tmp_path / "compute")
    failure = compute.build(tmp_path, "Dockerfile", "god/miner:1")
    assert isinstance(failure, BuildFailure) and failure.fault is Fault.MINER
    (tmp_path / "Dockerfile").touch()
    assert [compute.build(tmp_path, "Dockerfile", "god/miner:1") for _ in range(2)] == ["god/miner:1"] * 2
    assert compute.built == ["god/miner:1"]
    compute.build_failures["god/miner:2"] = BuildFailure(reason="no space left", fault=Fault.PLATFORM)
    assert compute.build(tmp_path, "Dockerfile", "god/miner:2") == compute.build_failures["god/miner:2"]


def test_only_known_images_are_trusted(tmp_path: Path) -> None:
    compute = MemoryCompute(save, tmp_path)
    assert "evaluator-text" in compute.trusted_image("evaluator-text")
    with pytest.raises(PrerequisiteError, match="evaluator-video"):
        compute.trusted_image("evaluator-video")


def test_slots_are_those_of_one_instance(tmp_path: Path) -> None:
    assert MemoryCompute(save, tmp_path, slots=2).slots() == builders.slots(2)
