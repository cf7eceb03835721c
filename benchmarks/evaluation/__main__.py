"""See `benchmarks/evaluation/__init__.py`."""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.evaluation import sides
from benchmarks.evaluation.limits import flops, flops_of_all_logits, least_bytes, matmul_flops_per_second
from benchmarks.evaluation.materials import COLUMNS, Materials, make
from benchmarks.evaluation.sides import Side


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.evaluation", description="Ours beside two peers.")
    parser.add_argument("--submissions", type=int, default=8)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--kind", choices=COLUMNS, default="instruct")
    parser.add_argument("--json", default="-", help="file for the result; - for standard output")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="evaluation-") as folder:
        result = compare(make(Path(folder), arguments.submissions, arguments.rows, arguments.kind), Path(folder))
    text = json.dumps(result, indent=2)
    if arguments.json == "-":
        print(text)
    else:
        Path(arguments.json).write_text(text + "\n")


def compare(materials: Materials, folder: Path) -> dict[str, Any]:
    """Everything is imported once before, so that nobody reads it from a cold disk."""
    _say("trying threads")
    threads = sides.quicker_threads(materials)
    _say("the incumbent's way")
    peers = {"trainer": sides.incumbent(materials, threads)}
    if materials.kind == "instruct":
        _say("lm-evaluation-harness, its command")
        peers["lm_eval"] = sides.lm_eval(materials, threads, folder / "tasks")
        _say("lm-evaluation-harness, one process")
        peers["lm_eval_one_process"] = sides.lm_eval_one_process(materials, threads)
    _say("ours")
    ours, reading_seconds = sides.ours(materials, folder / "jobs")
    report = _report(materials, ours, peers)
    if materials.kind == "instruct":
        report |= _work(materials, ours, reading_seconds, matmul_flops_per_second(os.cpu_count() or 1))
    return report | {"cores": os.cpu_count(), "load_average": os.getloadavg()[0]}


def _report(materials: Materials, ours: Side, peers: dict[str, Side]) -> dict[str, Any]:
    ratios = {f"ratio_vs_{name}": round(peer.at[-1] / ours.at[-1], 2) for name, peer in peers.items()}
    in_cpu = {f"cpu_ratio_vs_{name}": round(peer.cpu_seconds / ours.cpu_seconds, 2) for name, peer in peers.items()}
    return {
        "kind": materials.kind,
        "submissions": len(materials.checkpoints),
        "rows": len(materials.rows),
        **ratios,
        **in_cpu,
        "max_abs_difference_nats": max(_difference(ours, peer) for peer in peers.values()),
        "peak_memory_mib": round(ours.peak_mib),
        "sides": {name: side.row() for name, side in {"ours": ours, **peers}.items()},
    }


def _difference(ours: Side, peer: Side) -> float:
    """The largest, in nats per answer token or per pair: of a mean over rows, or of a row where the peer says each."""
    pairs = zip(ours.results, peer.results, strict=True)
    return max(difference for rows, theirs in pairs for difference in _differences(rows, theirs))


def _differences(rows: list[dict[str, Any]], theirs: float | list[float]) -> list[float]:
    if isinstance(theirs, float):
        return [abs(fmean(row["total"] / row["weight"] for row in rows) - theirs)]
    return [abs(row["total"] - nats) / row["weight"] for row, nats in zip(rows, theirs, strict=True)]


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
    }


def _say(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
