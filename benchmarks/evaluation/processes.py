"""Processes, timed from their start to each line they print."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Timed:
    lines: list[str]
    at: list[float]
    """Seconds from the start to each line."""
    seconds: float
    cpu_seconds: float
    peak_mib: float


def run(module: str, arguments: Sequence[object], threads: int) -> Timed:
    """Raises RuntimeError with the last words of a process that fails."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-m", module, *map(str, arguments)]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    lines, at = [], []
    for line in process.stdout:
        lines.append(line)
        at.append(time.perf_counter() - began)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}: {errors[-2000:]}")
    return Timed(lines, at, time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
