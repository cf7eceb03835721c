"""`Compute` on this machine: containers where an engine answers, else bubblewrap.

This process only plans runs and reads what is known of them. Each is carried out by a supervisor of its own, which has
no ties to us: see docs/decisions/0003-sandbox-supervisor.md.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from core.compute import BuildFailure, ContainerSpec, ContainerStatus, Ending, Slot
from core.errors import UnreachableError
from gateways.compute.runs import Plan, Run, State
from gateways.compute.supervisor.output import make_readable
from gateways.settings import ComputeSettings

SUPERVISOR_SECONDS = 20.0
"""For a supervisor to take its run, and for one to stop it."""
_ENGINE_VARIABLES = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_PYTHON_PATH = os.pathsep.join([str(Path(__file__).parents[2]), sysconfig.get_path("purelib")])
"""So that a supervisor needs no `site`, which takes its time."""


class Driver(Protocol):
    name: str

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure: ...

    def trusted_image(self, name: str) -> str: ...

    def plan(self, spec: ContainerSpec, run: Run) -> Plan:
        """Raises PrerequisiteError."""

    def end_leftovers(self, state: State) -> None:
        """End what a dead supervisor may have left."""


class LocalCompute:
    """Runs in folders below `folder/runs`; stand-in images below `folder/images`.

    Of a removed run an empty file below `folder/removed` is left: a process that stood still all the while, and does
    not know that its work is done, must not run it again.
    """

    def __init__(self, settings: ComputeSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder.resolve()
        self._runs = self._folder / "runs"
        self._removed = self._folder / "removed"

    @cached_property
    def driver(self) -> Driver:
        from gateways.compute.bubblewrap import BubblewrapDriver
        from gateways.compute.containers import ContainerDriver
        from gateways.compute.engine import engine_answers

        wanted = self._settings.driver
        if wanted == "containers" or (wanted == "auto" and engine_answers()):
            return ContainerDriver(self._settings.evaluator_image, self._folder)
        return BubblewrapDriver(self._folder)

    def slots(self) -> list[Slot]:
        instance, gpus = self._settings.instance, self._settings.gpus
        devices = gpus or (None,) * self._settings.slots
        return [
            Slot(resource=f"slot/{instance}/{number}", instance=instance, device=device)
            for number, device in enumerate(devices)
        ]

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        return self.driver.build(source, dockerfile, tag)

    def trusted_image(self, name: str) -> str:
        return self.driver.trusted_image(name)

    def start(self, spec: ContainerSpec) -> None:
        """Returns when a supervisor has the run. Raises PrerequisiteError or UnreachableError."""
        run = self._run(spec.name)
        if run.state() is not None or (self._removed / spec.name).exists():
            return
        run.propose(self.driver.plan(spec, run))
        _spawn_supervisor(run)

    def status(self, name: str) -> ContainerStatus | None:
        run = self._run(name)
        state = run.state()
        if state is not None and state.ending is None:
            state = self._bury_if_lost(run, state)
        return None if state is None else _status(run, state)

    def stop(self, name: str) -> None:
        run = self._run(name)
        state = run.state()
        if state is None or state.ending is not None:
            return
        run.ask_to_stop()
        deadline = time.monotonic() + SUPERVISOR_SECONDS
        while not self._is_over(name):
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(state.supervisor, signal.SIGKILL)
            time.sleep(0.02)

    def remove(self, name: str) -> None:
        self.stop(name)
        run = self._run(name)
        if run.folder.exists():
            self._removed.mkdir(exist_ok=True)
            (self._removed / name).touch()
            # rm takes down trees of any depth; hostile code wrote this one.
            make_readable(run.output)
            subprocess.run(["rm", "-rf", "--one-file-system", "--", run.output], check=True)
            shutil.rmtree(run.folder, ignore_errors=True)

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self._runs.glob("*/plan.json"))

    def _run(self, name: str) -> Run:
        return Run(self._runs / name)

    def _is_over(self, name: str) -> bool:
        status = self.status(name)
        return status is None or status.is_over

    def _bury_if_lost(self, run: Run, state: State) -> State:
        """A run without an end whose lock nobody holds has lost its supervisor."""
        with run.locked() as ours:
            latest = run.state() or state
            if not ours or latest.ending is not None:
                return latest
            self.driver.end_leftovers(latest)
            now = datetime.now(UTC).isoformat()
            lost = replace(latest, ended_at=now, ending=Ending.LOST.value, detail="its supervisor vanished")
            run.write_state(lost)
            return lost


def _spawn_supervisor(run: Run) -> None:
    """Start one and wait until the run is its own; a second one finds that and leaves."""
    ours, theirs = os.pipe()
    environment = {key: os.environ[key] for key in _ENGINE_VARIABLES if key in os.environ}
    command = [sys.executable, "-S", "-m", "gateways.compute.supervisor", str(run.folder), str(theirs)]
    try:
        with run.supervisor_log.open("ab") as log:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment | {"PYTHONPATH": _PYTHON_PATH},
                cwd="/",
                pass_fds=(theirs,),
                start_new_session=True,
                timeout=SUPERVISOR_SECONDS,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as e:
        raise UnreachableError(f"the supervisor of {run.name} does not start: {e}; see {run.supervisor_log}") from e
    finally:
        os.close(theirs)
    while os.read(ours, 1):
        pass
    os.close(ours)
    if run.state() is None:
        with run.locked() as ours_now:
            if ours_now:
                raise UnreachableError(f"the supervisor of {run.name} died at once; see {run.supervisor_log}")


def _status(run: Run, state: State) -> ContainerStatus:
    return ContainerStatus(
        name=run.name,
        started_at=_time(state.started_at),
        ended_at=_time(state.ended_at),
        ending=None if state.ending is None else Ending(state.ending),
        exit_code=state.exit_code,
        detail=state.detail,
        peak_memory_bytes=state.peak_memory_bytes,
        output_path=str(run.output),
        log_path=str(run.log),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
