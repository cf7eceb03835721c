"""Processes that `god up` has started, recognised by the mark in their environment."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from embedded.state import MARK, State

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""Prefect sets it for the process of a flow run."""


def marked(state: State) -> list[psutil.Process]:
    """Every living process below `god up` in this state folder, flow runs and sandbox supervisors included."""
    return [process for process in psutil.process_iter() if _environment(process).get(MARK) == str(state.folder)]


def services(state: State) -> list[psutil.Process]:
    """Those of them that are supervisord, a server or a worker: not started for a flow run."""
    return [process for process in marked(state) if FLOW_RUN not in _environment(process)]


def of_flow_runs(state: State) -> list[psutil.Process]:
    """The others: flow runs, and what they have started."""
    return [process for process in marked(state) if FLOW_RUN in _environment(process)]


def flow_runs() -> set[str]:
    """Ids of the flow runs that have a process on this machine."""
    return {environment[FLOW_RUN] for p in psutil.process_iter() if FLOW_RUN in (environment := _environment(p))}


def end(processes: Iterable[psutil.Process], grace_seconds: float = 3.0) -> None:
    """SIGTERM, then SIGKILL to what is still there."""
    mine = [process for process in processes if process.pid != os.getpid()]
    for process in mine:
        _signal(process.terminate)
    _, stubborn = psutil.wait_procs(mine, timeout=grace_seconds)
    for process in stubborn:
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=grace_seconds)


def memory_bytes(pid: int) -> int:
    """Memory of a process and its children that are not flow runs; what they share is counted once."""
    try:
        root = psutil.Process(pid)
        family = [root, *(child for child in root.children(recursive=True) if FLOW_RUN not in _environment(child))]
        return sum(int(process.memory_full_info().pss) for process in family)
    except psutil.Error:
        return 0


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return {}
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
