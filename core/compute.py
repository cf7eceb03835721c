"""Compute: slots that are leased, and sandboxed container runs on them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from core.errors import Fault
from core.value import Frozen, Positive

RunName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
"""Name of one container run: the same name is never run twice."""
Bytes = Annotated[int, Field(gt=0)]


class Slot(Frozen):
    """One unit of a machine that runs one container at a time."""

    resource: str
    """Unique name, `slot/<instance>/<number>`."""
    instance: str
    """The machine."""
    device: str | None = None
    """GPU UUID; none on a CPU slot."""


class Lease(Frozen):
    """What `owner` holds, by `holder`, under a fencing token that only ever grows."""

    owner: str
    """For whom: a training, an evaluation, a tournament."""
    holder: str
    """By whom: one flow run."""
    token: int
    """Fencing token: a writer with an older token changes nothing."""
    slots: tuple[Slot, ...]
    """Empty for a lease that only excludes others (a tournament)."""


class Limits(Frozen):
    """What one container run may use."""

    seconds: Positive
    """Wall clock from the start of the entry point; then it is stopped and what was saved counts."""
    memory_bytes: Bytes
    cpus: Positive
    pids: Annotated[int, Field(gt=0)] = 512
    shm_bytes: Bytes = 1 << 30
    output_bytes: Bytes = 1 << 33
    log_bytes: Bytes = 1 << 25
    """Older output beyond it is dropped, never the run."""


class Mount(Frozen):
    """A read-only input: a file or folder of this machine, at a path of the container."""

    source: str
    target: str


class ContainerSpec(Frozen):
    """One sandboxed run. Network: none, always."""

    name: RunName
    image: str
    """What `Compute.build` or `Compute.trusted_image` returned."""
    command: tuple[str, ...] = ()
    """Arguments after the image's ENTRYPOINT."""
    environment: dict[str, str] = {}
    inputs: tuple[Mount, ...] = ()
    output_target: str
    """The only path that outlives the container; writable, size-limited, own to this run."""
    devices: tuple[str, ...] = ()
    """GPU UUIDs."""
    limits: Limits


class Ending(StrEnum):
    """How a container run ended. Every run gets one."""

    FINISHED = "finished"
    """The entry point returned 0."""
    TIME_UP = "time up"
    """Our clock stopped it."""
    OUT_OF_MEMORY = "out of memory"
    OUTPUT_TOO_LARGE = "output too large"
    CRASHED = "crashed"
    """The entry point returned non-zero or died of a signal of its own making."""
    KILLED = "killed"
    """SIGKILL of unknown origin inside the sandbox: the host, or the miner's own hand."""
    LOST = "lost"
    """The sandbox or its supervisor vanished: ours."""
    REFUSED = "refused"
    """The engine would not start it: ours."""


class ContainerStatus(Frozen):
    """What is known of a run. `ending` is set once, when it is over."""

    name: RunName
    started_at: datetime | None = None
    """When the entry point started; the clock counts from here."""
    ended_at: datetime | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    detail: str = ""
    """One line for people: the signal, the engine's words, the limit that was met."""
    peak_memory_bytes: int | None = None
    output_path: str
    """Folder of this machine that the run's output lies in."""
    log_path: str
    """File of this machine that stdout and stderr together are appended to."""

    @property
    def is_over(self) -> bool:
        return self.ending is not None


class BuildFailure(Frozen):
    """A repository's Dockerfile that does not build."""

    reason: str
    fault: Fault
    log: str = ""
