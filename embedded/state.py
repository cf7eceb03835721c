"""Where the embedded services keep what they keep: one folder, found by everybody through GOD_STATE."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateways.settings import SERVICES_ENV, state_folder

REPOSITORY = Path(__file__).resolve().parent.parent
MARK = "GOD_EMBEDDED"
"""Environment variable that every process below `god up` carries; its value is the state folder."""
LONGEST_SOCKET_PATH = 90
"""Bytes: the kernel takes 107, and supervisord binds to a longer name first."""


@dataclass(frozen=True)
class State:
    """The state folder and the names in it."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def s3(self) -> Path:
        return self.folder / "s3"

    @property
    def prefect(self) -> Path:
        return self.folder / "prefect"

    @property
    def services_env(self) -> Path:
        return self.folder / SERVICES_ENV

    @property
    def socket(self) -> Path:
        """Of supervisord."""
        path = self.run / "supervisor.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"god-{os.getuid()}-{digest}.sock"

    def make(self) -> None:
        for folder in (self.run, self.logs, self.s3, self.prefect):
            folder.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o700)

    @contextmanager
    def locked(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """One `god up` or `god down` at a time; `on_wait` is called when there is another one."""
        self.make()
        with (self.run / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def this_state() -> State:
    return State(state_folder())


def write_atomically(path: Path, text: str) -> None:
    """Replace a private file at once, so that a kill leaves the old or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
