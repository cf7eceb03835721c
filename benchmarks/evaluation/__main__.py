"""See `benchmarks/evaluation/__init__.py`."""

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.evaluation.limits import flops, flops_of_all_logits, least_bytes, matmul_flops_per_second
from benchmarks.evaluation.materials import Materials, make, write_jobs
from benchmarks.evaluation.processes import run

COUNTS = (1, 2, 4, 8)
HARNESS_BATCH = 8
"""Of 1, 8 and 16 the quickest here (docs/decisions/0007-evaluation-engine.md)."""


@dataclass(frozen=True)
class Side:
    """One way to measure all checkpoints, one after another."""

    at: list[float]
    """Seconds from the start until the first, the first two, … are measured."""
    cpu_seconds: float
    peak_mib: float
    threads: int
    results: list[Any]

    def row(self) -> dict[str, Any]:
        seconds = {str(count): round(self.at[count - 1], 2) for count in COUNTS if count <= len(self.at)}
        return {
            "seconds_by_submissions": seconds,
            "seconds_of_each_further": round((self.at[-1] - self.at[0]) / max(1, len(self.at) - 1), 2),
            "cpu_seconds": round(self.cpu_seconds, 2),
            "peak_memory_mib": round(self.peak_mib),
            "threads": self.threads,
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.evaluation", description="Ours beside two peers.")
    parser.add_argument("--submissions", type=int, default=8)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--json", default="-", help="file for the result; - for standard output")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="evaluation-") as folder:
        result = compare(make(Path(folder), arguments.submissions, arguments.rows), Path(folder))
    text = json.dumps(result, indent=2)
    if arguments.json == "-":
        print(text)
    else:
        Path(arguments.json).write_text(text + "\n")


def compare(materials: Materials, folder: Path) -> dict[str, Any]:
    """Everything is imported once before, so that nobody reads it from a cold disk."""
    _say("trying threads")
    first = [materials.base, materials.checkpoints[0], materials.test]
    threads = _quicker("benchmarks.evaluation.incumbent", first)
    _say("the incumbent's way")
    incumbent = _incumbent(materials, threads)
    _say("lm-evaluation-harness")
    harness = _harness(materials, threads)
    _say("ours")
    ours, reading_seconds = _ours(materials, folder)
    limit = matmul_flops_per_second(os.cpu_count() or 1)
    return _report(materials, ours, incumbent, harness) | _work(materials, ours, reading_seconds, limit)


def _quicker(module: str, arguments: list[Path]) -> int:
    """How many threads: one, or one for each core."""
    return min({1, os.cpu_count() or 1}, key=lambda threads: run(module, arguments, threads).seconds)


def _incumbent(materials: Materials, threads: int) -> Side:
    runs = [
        run("benchmarks.evaluation.incumbent", [materials.base, checkpoint, materials.test], threads)
        for checkpoint in materials.checkpoints
    ]
    at = [sum(each.seconds for each in runs[: count + 1]) for count in range(len(runs))]
    losses = [json.loads(each.lines[-1])["loss"] for each in runs]
    return Side(at, sum(each.cpu_seconds for each in runs), max(each.peak_mib for each in runs), threads, losses)


def _harness(materials: Materials, threads: int) -> Side:
    done = run(
        "benchmarks.evaluation.harness",
        [materials.base, materials.test, HARNESS_BATCH, *materials.checkpoints],
        threads,
    )
    nats = [json.loads(line) for line in done.lines]
    return Side(done.at, done.cpu_seconds, done.peak_mib, threads, nats)


def _ours(materials: Materials, folder: Path) -> tuple[Side, float]:
    """And the seconds that went into reading alone."""
    jobs, threads = write_jobs(materials, folder / "jobs"), os.cpu_count() or 1
    done = run("evaluators", jobs, threads)
    reading = sum(float(seconds) for line in done.lines for seconds in re.findall(r"answers ([\d.]+) s", line))
    rows = [[json.loads(line) for line in (job / "outputs/per_example.jsonl").open()] for job in jobs]
    return Side(done.at, done.cpu_seconds, done.peak_mib, threads, rows), reading


def _report(materials: Materials, ours: Side, incumbent: Side, harness: Side) -> dict[str, Any]:
    rows = len(materials.rows)
    return {
        "submissions": len(materials.checkpoints),
        "rows": rows,
        "ratio_vs_trainer": round(incumbent.at[-1] / ours.at[-1], 2),
        "ratio_vs_lm_eval": round(harness.at[-1] / ours.at[-1], 2),
        "cpu_ratio_vs_trainer": round(incumbent.cpu_seconds / ours.cpu_seconds, 2),
        "cpu_ratio_vs_lm_eval": round(harness.cpu_seconds / ours.cpu_seconds, 2),
        "max_abs_difference_nats": _difference(ours, incumbent, harness),
        "peak_memory_mib": round(ours.peak_mib),
        "sides": {"ours": ours.row(), "trainer": incumbent.row(), "lm_eval": harness.row()},
    }


def _difference(ours: Side, incumbent: Side, harness: Side) -> float:
    """The largest in nats per answer token: of a model's mean over rows, and of any row."""
    means = [[row["total"] / row["weight"] for row in rows] for rows in ours.results]
    of_models = [abs(fmean(mean) - loss) for mean, loss in zip(means, incumbent.results, strict=True)]
    of_rows = [
        abs(row["total"] - nats) / row["weight"]
        for rows, answers in zip(ours.results, harness.results, strict=True)
        for row, nats in zip(rows, answers, strict=True)
    ]
    worst: float = max(of_models + of_rows)
    return worst


def _work(materials: Materials, ours: Side, reading_seconds: float, limit: float) -> dict[str, Any]:
    lengths = [len(row["instruct"].split()) + len(row["output"].split()) + 2 for row in materials.rows]
    answers = [row["weight"] for row in ours.results[0]]
    count, needed = len(materials.checkpoints), flops(lengths, answers)
    return {
        "tokens_per_second": round(count * sum(lengths) / reading_seconds),
        "tokens_per_second_with_start": round(count * sum(lengths) / ours.at[-1]),
        "matmul_share": round(count * needed / reading_seconds / limit, 3),
        "matmul_gflops_per_second": round(limit / 1e9, 1),
        "reading_seconds": round(reading_seconds, 2),
        "tokens": sum(lengths),
        "answer_tokens": sum(answers),
        "gflop_per_model": round(needed / 1e9, 1),
        "gflop_per_model_with_all_logits": round(flops_of_all_logits(lengths) / 1e9, 1),
        "least_mib_read_per_model": round(least_bytes() / (1 << 20)),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
