"""One sandboxed run, watched to its end; killed between any two lines, it can simply be watched again."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from prefect import task

from core.artifacts import ArtifactKind, ArtifactRef
from core.compute import BuildFailure, ContainerSpec, ContainerStatus, Limits
from core.errors import StaleStateError
from gateways.wiring import ports, settings
from tasks.retrying import EFFECT
from tasks.telling import tell_log

POLL_SECONDS = 0.2
LOG_SECONDS = 5.0
LOG_CHUNK = 1 << 20


@task(task_run_name="build-{tag}", **EFFECT)
def build_image(source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
    return ports().compute.build(source, dockerfile, tag)


@task(task_run_name="trusted-image-{name}", **EFFECT)
def trusted_image(name: str) -> str:
    return ports().compute.trusted_image(name)


@task(task_run_name="run-{spec.name}", **EFFECT)
def run_container(spec: ContainerSpec, on_start: Callable[[datetime], None]) -> ContainerStatus:
    """Start the run, or find it where a killed predecessor left it, and wait for its end. Its log is streamed."""
    compute = ports().compute
    compute.start(spec)
    log, is_told = LogStream(spec.name), False
    while True:
        status = compute.status(spec.name)
        if status is None:
            raise StaleStateError(f"container run {spec.name} was removed: somebody else has recorded its end")
        if status.started_at is not None and not is_told:
            on_start(status.started_at)
            is_told = True
        log.push(Path(status.log_path), is_last=status.is_over)
        if status.is_over:
            return status
        time.sleep(POLL_SECONDS)


@task(task_run_name="remove-{name}", **EFFECT)
def remove_container(name: str) -> None:
    ports().compute.remove(name)


def slot_limits(seconds: float, slots: int) -> Limits:
    """What a run on so many slots of this machine may use."""
    compute = settings().compute
    return Limits(
        seconds=seconds,
        memory_bytes=slots * compute.memory_mib_per_slot << 20,
        cpus=slots * compute.cpus_per_slot,
        output_bytes=compute.output_mib << 20,
    )


class LogStream:
    """Sends what a run wrote since the last time to the artifact store, piece by piece.

    A log that met its limit is replaced by its newest half, so a file that has shrunk is read from its start.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._sent = 0
        self._next = time.monotonic() + LOG_SECONDS
        self._pieces: list[ArtifactRef] = []

    def push(self, path: Path, *, is_last: bool) -> None:
        if not is_last and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOG_SECONDS
        if path.is_file() and path.stat().st_size < self._sent:
            self._sent = 0
        while piece := _read(path, self._sent):
            self._pieces.append(ports().artifacts.put_bytes(ArtifactKind.LOG, piece))
            self._sent += len(piece)
            tell_log(self._name, self._pieces, piece)


def _read(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read(LOG_CHUNK)
    except FileNotFoundError:
        return b""
