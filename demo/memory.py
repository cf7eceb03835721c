"""Memory of everything that the demo runs: this process, the services, their flow runs, the sandboxes."""

import threading
from contextlib import suppress

import psutil

from embedded.processes import marked
from embedded.state import State

MIB = 1 << 20


def our_processes(state: State) -> set[psutil.Process]:
    """What `god up` and its workers started, sandboxes (their mounts name the state folder), this one; all children."""
    roots = {psutil.Process(), *marked(state), *_naming(str(state.folder))}
    children: set[psutil.Process] = set()
    for root in roots:
        with suppress(psutil.Error):
            children.update(root.children(recursive=True))
    return roots | children


def _naming(folder: str) -> set[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return {process for process in found if any(folder in word for word in process.info["cmdline"] or ())}


def memory_bytes(process: psutil.Process) -> int:
    """Proportional set size, so that shared pages count once; resident size where that is not readable; 0 when gone."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        with suppress(psutil.Error):
            return int(process.memory_info().rss)
    except psutil.Error:
        pass
    return 0


class PeakMemory:
    """Watches in a thread of its own, from `with` to the end of it."""

    def __init__(self, state: State, every_seconds: float = 2.0) -> None:
        self._state, self._every_seconds = state, every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self.mib = 0.0

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            total = sum(memory_bytes(process) for process in our_processes(self._state))
            self.mib = max(self.mib, total / MIB)
            self._over.wait(self._every_seconds)
