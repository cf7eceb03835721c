"""One run is one folder: what was planned, what is known, its log and its output.

plan.json     what the supervisor is to do; written once, before anything runs
lock          locked by the run's supervisor as long as it lives
state.json    what is known of the run; replaced whole, written first when a supervisor takes the run
stop          there when the run is to be stopped
log, output/  of the sandboxed process
supervisor.log  of the supervisor itself; empty unless something of ours is broken
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plan:
    """One run, worked out to the last argument."""

    driver: str
    """`bubblewrap` or `containers`."""
    seconds: float
    """Wall clock from the start of the entry point."""
    memory_bytes: int
    cpus: float
    pids: int
    output_bytes: int
    log_bytes: int
    output_owner: int | None
    """uid and gid that the output folder is given to; None leaves it to us."""
    sandbox: dict[str, Any]
    """The driver's own part."""
    notices: tuple[str, ...] = ()
    """Lines that the run's log begins with."""


@dataclass(frozen=True)
class State:
    """What is known of a run that a supervisor took. Times are ISO 8601 in UTC; `ending` is set once."""

    supervisor: int
    """Process id."""
    sandbox: dict[str, Any] = field(default_factory=dict)
    """How to find what is left of the sandbox, in the driver's own words."""
    started_at: str | None = None
    ended_at: str | None = None
    ending: str | None = None
    exit_code: int | None = None
    detail: str = ""
    peak_memory_bytes: int | None = None


class Run:
    """The folder of one run. A power cut leaves each of its files whole or absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.output = folder / "output"
        self.supervisor_log = folder / "supervisor.log"
        self._plan = folder / "plan.json"
        self._state = folder / "state.json"
        self._stop = folder / "stop"

    @property
    def name(self) -> str:
        return self.folder.name

    def propose(self, plan: Plan) -> None:
        """Write the plan, unless there is one: the first wins."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._draft(self._plan, asdict(plan))
        try:
            os.link(draft, self._plan)
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    def plan(self) -> Plan:
        content = json.loads(self._plan.read_text())
        return Plan(**{**content, "notices": tuple(content["notices"])})

    def state(self) -> State | None:
        """None as long as no supervisor took the run."""
        try:
            return State(**json.loads(self._state.read_text()))
        except FileNotFoundError:
            return None

    def write_state(self, state: State) -> None:
        """Only for the holder of the lock."""
        self._draft(self._state, asdict(state)).replace(self._state)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the run's lock; False when somebody else has it."""
        descriptor = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def ask_to_stop(self) -> None:
        self._stop.touch()

    @property
    def is_asked_to_stop(self) -> bool:
        return self._stop.exists()

    def _draft(self, path: Path, content: dict[str, Any]) -> Path:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        return draft
