"""Control groups of a run, version 1 or 2, where this machine lets us have any; else a group without controllers.

Version 1 groups stand below the group we are in ourselves, so that its limits go on to hold; version 2 groups stand
below the root, since a group that has processes (ours) may not hand controllers down.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "cpu", "pids")
PERIOD_MICROSECONDS = 100_000
BACKGROUND_WEIGHT, BACKGROUND_SHARES = 50, 512
"""Half of the usual: on a machine that is full, what watches the runs goes before them, and all runs are alike."""


class Cgroup:
    """Folders of one run's group, by controller (one and the same folder with version 2)."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders
        self._is_v2 = any((folder / "cgroup.controllers").exists() for folder in folders.values())

    def has(self, controller: str) -> bool:
        return controller in self._folders

    def limit(self, memory_bytes: int, cpus: float, pids: int) -> None:
        """Set what can be set. No swap: memory means memory."""
        quota = int(cpus * PERIOD_MICROSECONDS)
        if self._is_v2:
            self._set("memory", "memory.max", memory_bytes)
            self._set("memory", "memory.swap.max", 0)
            self._set("cpu", "cpu.max", f"{quota} {PERIOD_MICROSECONDS}")
            self._set("cpu", "cpu.weight", BACKGROUND_WEIGHT)
        else:
            self._set("memory", "memory.limit_in_bytes", memory_bytes)
            self._set("memory", "memory.memsw.limit_in_bytes", memory_bytes)
            self._set("cpu", "cpu.cfs_period_us", PERIOD_MICROSECONDS)
            self._set("cpu", "cpu.cfs_quota_us", quota)
            self._set("cpu", "cpu.shares", BACKGROUND_SHARES)
        self._set("pids", "pids.max", pids)

    def enter(self) -> None:
        """Move this process in; its children are born there."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def memory_bytes(self) -> int:
        """Anonymous and shared memory in use; page cache does not count."""
        facts = self._facts("memory.stat")
        names = ("anon", "shmem") if self._is_v2 else ("total_rss", "total_shmem")
        return sum(facts.get(name, 0) for name in names)

    def oom_kills(self) -> int:
        """Processes of the group that the kernel killed at the memory limit, so far."""
        return self._facts("memory.events" if self._is_v2 else "memory.oom_control").get("oom_kill", 0)

    def destroy(self, seconds: float = 5.0) -> None:
        """Kill all processes of the group and remove it. Nothing there is no error."""
        deadline = time.monotonic() + seconds
        for folder in set(self._folders.values()):
            while folder.exists() and time.monotonic() < deadline:
                _kill(folder)
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.005)

    def _set(self, controller: str, name: str, value: object) -> None:
        if controller in self._folders:
            with suppress(FileNotFoundError):
                (self._folders[controller] / name).write_text(str(value))

    def _facts(self, name: str) -> dict[str, int]:
        if "memory" not in self._folders:
            return {}
        lines = (self._folders["memory"] / name).read_text().splitlines()
        return {key: int(value) for key, value in (line.split() for line in lines)}


def places(name: str, root: Path = ROOT) -> dict[str, Path]:
    """Where a group of this name would stand, by controller; nothing is made yet."""
    parents = {controller: _parent(root, controller) for controller in CONTROLLERS}
    return {controller: parent / name for controller, parent in parents.items() if parent is not None}


def create(folders: dict[str, Path]) -> Cgroup:
    """A new group in those places that we may use."""
    return Cgroup({controller: folder for controller, folder in folders.items() if _made(folder)})


def _parent(root: Path, controller: str) -> Path | None:
    if (root / "cgroup.controllers").exists():
        with suppress(OSError):
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
        return root if controller in _words(root / "cgroup.subtree_control") else None
    return root / controller / _own_group(controller) if (root / controller).is_dir() else None


def _own_group(controller: str) -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return os.access(folder / "cgroup.procs", os.W_OK)


def _kill(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for pid in _words(folder / "cgroup.procs"):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
