"""Sandboxes that run on a stage, and the ways to kill one."""

from collections.abc import Set

import psutil

from gateways.compute.runs import Run
from tests.flows.staging import Stage


def first_attempts(stage: Stage, but: Set[str], is_evaluation: bool) -> list[Run]:
    """First attempts whose script is running, of other trainings (or evaluations) than `but`."""
    return [run for run in running(stage, but) if ("-e1-" in run.name) is is_evaluation and _has_begun(run)]


def running(stage: Stage, but: Set[str]) -> list[Run]:
    """First attempts that have started and not ended, at other work than `but`."""
    runs = [Run(folder) for folder in (stage.folder / "state/compute/runs").glob("*-a1")]
    return [run for run in runs if work_of(run) not in but and _is_running(run)]


def work_of(run: Run) -> str:
    return run.name.rpartition("-a")[0]


def _has_begun(run: Run) -> bool:
    return run.log.exists() and b" begins\n" in run.log.read_bytes()


def _is_running(run: Run) -> bool:
    state = run.state()
    return state is not None and state.started_at is not None and state.ending is None


def kill_supervisor(run: Run) -> None:
    _supervisor(run).kill()


def kill_bubblewrap(run: Run) -> None:
    _supervisor(run).children()[0].kill()


def kill_first_process(run: Run) -> None:
    _launcher(run).kill()


def kill_script(run: Run) -> None:
    _launcher(run).children()[0].kill()


def _supervisor(run: Run) -> psutil.Process:
    state = run.state()
    assert state is not None
    return psutil.Process(state.supervisor)


def _launcher(run: Run) -> psutil.Process:
    """Process 1 inside the sandbox."""
    family = _supervisor(run).children(recursive=True)
    return next(process for process in family if process.name().startswith("python"))
