"""The ways to measure all checkpoints one after another, each timed in processes of its own."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evaluation import harness_command
from benchmarks.evaluation.materials import Materials, write_jobs
from benchmarks.evaluation.processes import Timed, run

COUNTS = (1, 2, 4, 8)
INCUMBENT = {"instruct": "benchmarks.evaluation.incumbent", "dpo": "benchmarks.evaluation.incumbent_dpo"}


@dataclass(frozen=True)
class Side:
    at: list[float]
    """Seconds from the start until the first, the first two, … are measured."""
    cpu_seconds: float
    peak_mib: float
    threads: int
    results: list[Any]
    """Of each checkpoint: its loss, its rows' nats, or its rows as ours reports them."""

    def row(self) -> dict[str, Any]:
        seconds = {str(count): round(self.at[count - 1], 2) for count in COUNTS if count <= len(self.at)}
        return {
            "seconds_by_submissions": seconds,
            "seconds_of_each_further": round((self.at[-1] - self.at[0]) / max(1, len(self.at) - 1), 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "peak_memory_mib": round(self.peak_mib),
            "threads": self.threads,
        }


def incumbent(materials: Materials, threads: int) -> Side:
    runs = [_incumbent(materials, checkpoint, threads) for checkpoint in materials.checkpoints]
    return _one_after_another(runs, threads, [json.loads(each.lines[-1])["loss"] for each in runs])


def quicker_threads(materials: Materials) -> int:
    """With how many threads the incumbent's first checkpoint is measured sooner: one, or one for each core."""
    first = materials.checkpoints[0]
    return min({1, os.cpu_count() or 1}, key=lambda threads: _incumbent(materials, first, threads).seconds)


def _incumbent(materials: Materials, checkpoint: Path, threads: int) -> Timed:
    return run(INCUMBENT[materials.kind], [materials.base, checkpoint, materials.test], threads)


def lm_eval(materials: Materials, threads: int, folder: Path) -> Side:
    """Its command, for each checkpoint."""
    tasks = harness_command.write_task(materials.test, folder)
    runs, nats = [], []
    for checkpoint in materials.checkpoints:
        outputs = folder / checkpoint.name
        arguments = harness_command.arguments(materials.base, checkpoint, tasks, outputs)
        runs.append(run("lm_eval", arguments, threads, HF_DATASETS_CACHE=str(folder / "cache")))
        nats.append(harness_command.nats(outputs))
    return _one_after_another(runs, threads, nats)


def lm_eval_one_process(materials: Materials, threads: int) -> Side:
    """Our own loop around its model class, kinder than its command."""
    arguments = [materials.base, materials.test, harness_command.BATCH, *materials.checkpoints]
    done = run("benchmarks.evaluation.harness", arguments, threads)
    return Side(done.at, done.cpu_seconds, done.peak_mib, threads, [json.loads(line) for line in done.lines])


def ours(materials: Materials, folder: Path) -> tuple[Side, float]:
    """And the seconds that went into reading alone."""
    jobs, threads = write_jobs(materials, folder), os.cpu_count() or 1
    done = run("evaluators", jobs, threads)
    reading = sum(float(seconds) for line in done.lines for seconds in re.findall(r"answers ([\d.]+) s", line))
    rows = [[json.loads(line) for line in (job / "outputs/per_example.jsonl").open()] for job in jobs]
    return Side(done.at, done.cpu_seconds, done.peak_mib, threads, rows), reading


def _one_after_another(runs: Sequence[Timed], threads: int, results: list[Any]) -> Side:
    at = [sum(each.seconds for each in runs[: count + 1]) for count in range(len(runs))]
    return Side(at, sum(each.cpu_seconds for each in runs), max(each.peak_mib for each in runs), threads, results)
