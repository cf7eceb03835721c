"""Processes, timed from their start to each line they print."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Timed:
    lines: list[str]
    at: list[float]
    """Seconds from the start to each line."""
    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(module: str, arguments: Sequence[object], threads: int, **more: str) -> Timed:
    """With `more` in the environment. Raises RuntimeError with the last words of a process that fails."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **more,
    }
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        lines, at = [], []
        for line in process.stdout:
            lines.append(line)
            at.append(time.perf_counter() - began)
        _, status, usage = os.wait4(process.pid, 0)
        seconds, process.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{module} ended with {process.returncode}: {errors.read()[-2000:]}")
    return Timed(lines, at, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
