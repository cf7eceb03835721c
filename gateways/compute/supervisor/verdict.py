"""How a sandboxed process ended, in the words of `core.compute.Ending` (which would import pydantic here)."""

from dataclasses import dataclass

FINISHED = "finished"
TIME_UP = "time up"
OUT_OF_MEMORY = "out of memory"
OUTPUT_TOO_LARGE = "output too large"
CRASHED = "crashed"
KILLED = "killed"
LOST = "lost"
REFUSED = "refused"

SIGKILLED = 137
"""128 + SIGKILL: what a shell, and Docker, make of a process that was killed."""


@dataclass(frozen=True)
class Verdict:
    ending: str
    detail: str = ""
    exit_code: int | None = None
    peak_memory_bytes: int = 0


class RefusedError(Exception):
    """The sandbox cannot be started; the message says why."""


def of_exit_code(code: int, out_of_memory: bool) -> Verdict:
    """What an entry point's own end means.

    137 may be the miner's own `exit 137`, and a shell's word for a killed child: nobody can tell, so it is KILLED.
    """
    if code == 0:
        return Verdict(FINISHED, exit_code=0)
    if out_of_memory:
        return Verdict(OUT_OF_MEMORY, "the kernel stopped it at its memory limit", code)
    if code == SIGKILLED:
        return Verdict(KILLED, "killed by SIGKILL, and not by us", code)
    return Verdict(CRASHED, f"exit code {code}", code)
