"""Process 1 of a bubblewrap sandbox: starts the entry point, buries its orphans, and reports how it ended.

Run by file inside the sandbox (`python -I -S launcher.py`), so it knows nothing of ours. It speaks with the supervisor
over one socket that the entry point does not inherit: "ready", then the job comes, "started", "ended". Nothing inside
can kill it (it is process 1), look into it or take its socket (it is not dumpable); so a sandbox that dies without a
report was killed from outside.
"""

import ctypes
import json
import os
import resource
import sys

CHANNEL = 10
PR_SET_DUMPABLE = 4


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.set_inheritable(CHANNEL, False)
    _report({"event": "ready"})
    job = json.loads(_read_line())
    child = os.fork()
    if child == 0:
        _become(**job)
    _report({"event": "started"})
    code, peak = _bury_until(child)
    _report({"event": "ended", "code": code, "peak": peak})


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(CHANNEL, 65536)
        if not part:
            sys.exit("the supervisor is gone")
        line += part
    return line


def _become(argv: "list[str]", environment: "dict[str, str]", workdir: str, rlimits: "dict[str, int]") -> None:
    """Turn into the entry point; 127 and 126 are a shell's codes for what cannot be found or run."""
    try:
        os.setsid()
        for name, value in rlimits.items():
            resource.setrlimit(getattr(resource, name), (value, value))
        os.chdir(workdir)
        os.execvpe(argv[0], argv, environment)  # noqa: S606
    except OSError as e:
        os.write(2, f"cannot run {argv[0]}: {e.strerror}\n".encode())
        os._exit(127 if isinstance(e, FileNotFoundError) else 126)


def _report(message: "dict[str, object]") -> None:
    os.write(CHANNEL, json.dumps(message).encode() + b"\n")


def _bury_until(child: int) -> "tuple[int, int]":
    """Exit code of the child (a signal as 128 + its number), and the largest memory of any process buried, bytes."""
    peak = 0
    while True:
        pid, status, usage = os.wait3(0)
        peak = max(peak, usage.ru_maxrss * 1024)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return (code if code >= 0 else 128 - code), peak


main()
