"""Sandboxes that run on a stage, and the ways to kill one."""

from collections.abc import Set

import psutil

from gateways.compute.runs import Run
from tests.flows.staging import Stage


def first_attempts(stage: Stage, but: Set[str], is_evaluation: bool) -> list[Run]:
    """First attempts whose script is running, of other trainings (or evaluations) than `but`."""
    runs = [Run(folder) for folder in (stage.folder / "state/compute/runs").glob("*-a1")]
    wanted = [run for run in runs if work_of(run) not in but and ("-e1-" in run.name) is is_evaluation]
    return [run for run in wanted if _has_begun(run) and not _is_over(run)]


def work_of(run: Run) -> str:
    return run.name.rpartition("-a")[0]


def _has_begun(run: Run) -> bool:
    return run.log.exists() and b" begins\n" in run.log.read_bytes()


def _is_over(run: Run) -> bool:
    state = run.state()
    return state is None or state.ending is not None


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
