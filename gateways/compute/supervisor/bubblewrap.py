"""The sandboxed process of one run, by bubblewrap. What the sandbox is, stands in the plan."""

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateways.compute.runs import Plan
from gateways.compute.supervisor import cgroups
from gateways.compute.supervisor.verdict import CRASHED, LOST, OUT_OF_MEMORY, OUTPUT_TOO_LARGE, RefusedError, Verdict
from gateways.compute.supervisor.verdict import of_exit_code as verdict_of

CHANNEL, SECCOMP = 10, 11
"""Descriptors that the sandbox is started with: the launcher's socket, the system call filter."""
OOM_SCORE = "500"
"""A machine short of memory takes a sandbox before anything of ours."""
NICENESS = 5
"""Where there are no control groups: what watches the runs goes first."""
OUR_PROCESSES = 8
"""Room in the group for bubblewrap and the launcher."""
OOM_MEMORY_SECONDS = 5.0
"""How long after the kernel's out-of-memory kill the sandbox's death is put down to it."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class BubblewrapSandbox:
    """Starts bubblewrap and listens to the launcher inside."""

    def __init__(self, plan: Plan, group_name: str) -> None:
        self._plan = plan
        self._places = cgroups.places(group_name)
        self._cgroup = cgroups.Cgroup({})
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._ended: dict[str, Any] | None = None
        self._oom_kills, self._oom_seen_at = 0, -OOM_MEMORY_SECONDS
        self.is_started = False
        self._channel, self._their_channel = socket.socketpair()
        self._log, self._their_log = os.pipe()

    @property
    def trace(self) -> dict[str, Any]:
        """How `end_leftovers` finds what is left of it."""
        return {"cgroups": {controller: str(folder) for controller, folder in self._places.items()}}

    @property
    def log_source(self) -> int | None:
        return self._log

    @property
    def event_source(self) -> int | None:
        return self._channel.fileno()

    @property
    def needs_memory_watch(self) -> bool:
        """Whether nobody but us holds it to its memory limit."""
        return not self._cgroup.has("memory")

    def launch(self) -> None:
        """Raises RefusedError."""
        self._cgroup = cgroups.create(self._places)
        self._cgroup.limit(self._plan.memory_bytes, self._plan.cpus, self._plan.pids + OUR_PROCESSES)
        read_filter, write_filter = os.pipe()
        os.write(write_filter, bytes.fromhex(self._plan.sandbox["seccomp"]))
        os.close(write_filter)
        os.dup2(read_filter, SECCOMP)
        os.dup2(self._their_channel.fileno(), CHANNEL)
        self._process = self._popen()
        for descriptor in (SECCOMP, CHANNEL, read_filter, self._their_log):
            os.close(descriptor)
        self._their_channel.close()
        os.set_blocking(self._log, False)
        self._channel.setblocking(False)

    def _popen(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._plan.sandbox["command"],
                stdin=subprocess.DEVNULL,
                stdout=self._their_log,
                stderr=self._their_log,
                env={"PATH": "/usr/bin:/bin"},
                pass_fds=(CHANNEL, SECCOMP),
                preexec_fn=self._enter,
            )
        except (OSError, subprocess.SubprocessError) as e:
            raise RefusedError(f"bubblewrap does not start: {e}") from e

    def read_log(self, size: int) -> bytes:
        try:
            return os.read(self._log, size)
        except BlockingIOError:
            return b""

    def poll(self) -> Verdict | None:
        """How it ended, once it has."""
        is_closed = self._listen()
        self._watch_oom()
        if self._ended is not None:
            return self._own_end(self._ended)
        return self._vanished() if is_closed else None

    def memory_bytes(self) -> int:
        if self._cgroup.has("memory"):
            return self._cgroup.memory_bytes()
        assert self._process is not None
        return sum(_anonymous_bytes(pid) for pid in _descendants(self._process.pid))

    def kill(self) -> None:
        """Process 1 of the sandbox dies with bubblewrap, and all others with process 1."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._cgroup.destroy()

    def _enter(self) -> None:
        os.nice(NICENESS)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
        self._cgroup.enter()

    def _send_job(self) -> None:
        """Only now, for now everything in there dies with us."""
        limits = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": self._plan.output_bytes}
        if not self._cgroup.has("pids"):
            limits["RLIMIT_NPROC"] = self._plan.pids
        job = {**self._plan.sandbox["job"], "rlimits": limits}
        self._channel.setblocking(True)
        with suppress(BrokenPipeError):
            self._channel.sendall(json.dumps(job).encode() + b"\n")
        self._channel.setblocking(False)

    def _listen(self) -> bool:
        """Take in the launcher's words; True when it can speak no more."""
        with suppress(BlockingIOError):
            while part := self._channel.recv(65536):
                self._heard += part
                self._understand()
            return True
        return False

    def _understand(self) -> None:
        *lines, self._heard = self._heard.split(b"\n")
        for message in map(json.loads, lines):
            if message["event"] == "ready":
                self._send_job()
            elif message["event"] == "started":
                self.is_started = True
            else:
                self._ended = message

    def _watch_oom(self) -> None:
        kills = self._cgroup.oom_kills()
        if kills > self._oom_kills:
            self._oom_kills, self._oom_seen_at = kills, time.monotonic()

    def _own_end(self, message: dict[str, Any]) -> Verdict:
        code, peak = int(message["code"]), int(message["peak"])
        if code == 128 + signal.SIGXFSZ:
            return Verdict(OUTPUT_TOO_LARGE, "a file reached the output limit", code, peak)
        verdict = verdict_of(code, out_of_memory=self._oom_kills > 0)
        detail = verdict.detail
        if verdict.ending == CRASHED and code > 128 and code - 128 in set(signal.Signals):
            detail = f"died of {signal.Signals(code - 128).name}"
        return Verdict(verdict.ending, detail, code, peak)

    def _vanished(self) -> Verdict:
        """Dead without a report: the kernel's doing, somebody's outside, or bubblewrap's own before it began."""
        assert self._process is not None
        code = self._process.wait()
        if time.monotonic() - self._oom_seen_at < OOM_MEMORY_SECONDS:
            return Verdict(OUT_OF_MEMORY, "the kernel stopped the sandbox at its memory limit")
        if not self.is_started and 0 < code < 128:
            raise RefusedError(f"bubblewrap gave up with exit code {code}")
        return Verdict(LOST, "the sandbox was killed from outside")


def end_leftovers(trace: dict[str, Any]) -> None:
    """Kill what a dead supervisor may have left: the kernel did it already, unless somebody unpicked bubblewrap."""
    cgroups.Cgroup({name: Path(folder) for name, folder in trace.get("cgroups", {}).items()}).destroy()


def _descendants(pid: int) -> list[int]:
    """The process, its children, theirs, and so on, at about this moment."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _anonymous_bytes(pid: int) -> int:
    """Resident memory less what is shared with files or others; 0 for a process that is gone."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE
