"""`python -m benchmarks.duel [--seconds 30] [--only NAME …] [--rate-factor 1] [--json FILE|-]`."""

import json
import math
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scipy import stats

from benchmarks.duel.challenges import challenges
from benchmarks.duel.match import Gain, play
from demo import base_model


def parse(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(description="The miner template against TRL's defaults, at the same clock.")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each training (default: %(default)s)")
    parser.add_argument("--only", nargs="*", default=(), help="names of challenges, or beginnings of them")
    parser.add_argument("--rate-factor", type=float, default=1.0, help="of the default's learning rates")
    parser.add_argument("--hub", type=Path, default=Path("var/demo/hub"), help="where the base model is, or is made")
    parser.add_argument("--json", help="a file for the whole result; - for standard output")
    return parser.parse_args(arguments)


def duel(told: Namespace, folder: Path) -> list[Gain]:
    base_model.ensure(told.hub, lambda _: None)
    for name in ("models", "datasets", "checkpoints"):
        (folder / name).mkdir()
    (folder / "models" / base_model.FOLDER).symlink_to((told.hub / "models" / base_model.FOLDER).resolve())
    gains = []
    for challenge in challenges():
        if not told.only or any(challenge.name.startswith(name) for name in told.only):
            gains.append(play(challenge, folder, base_model.MODEL_ID, told.seconds, told.rate_factor))
            print(line(gains[-1]), file=sys.stderr, flush=True)
    return gains


def line(gain: Gain) -> str:
    values = ("refused" if value is None else f"{value:.4f}" for value in (gain.template, gain.default))
    interval = f"{gain.gain:+.2%} | {gain.low:+.2%} … {gain.high:+.2%}"
    return f"| {gain.challenge} | {gain.kind} | {' | '.join(values)} | {interval} |"


def summary(gains: Sequence[Gain]) -> dict[str, Any]:
    """Wins, sure wins (the interval is above 0), and the mean gain with its 95 % interval, challenges the unit."""
    found = [gain.gain for gain in gains if math.isfinite(gain.gain)]
    mean = math.fsum(found) / len(found)
    spread = stats.t.ppf(0.975, len(found) - 1) * stats.sem(found) if len(found) > 1 else math.inf
    return {
        "challenges": len(gains),
        "wins": sum(gain.gain > 0 for gain in gains),
        "sure_wins": sum(gain.low > 0 for gain in gains),
        "share_of_wins": sum(gain.gain > 0 for gain in gains) / len(gains),
        "mean_gain": mean,
        "low": mean - float(spread),
        "high": mean + float(spread),
    }


def table(gains: Sequence[Gain]) -> str:
    head = "| challenge | kind | template | default | gain | 95 % |\n|---|---|---|---|---|---|"
    total = summary(gains)
    words = (
        f"{total['wins']} of {total['challenges']} won, {total['sure_wins']} of them surely; "
        f"mean gain {total['mean_gain']:+.2%}, 95 % {total['low']:+.2%} … {total['high']:+.2%}"
    )
    return "\n".join([head, *map(line, gains), "", words])


def main(arguments: Sequence[str]) -> None:
    told = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        gains = duel(told, Path(folder))
    result = {
        "seconds": told.seconds,
        "rate_factor": told.rate_factor,
        **summary(gains),
        "gains": [asdict(gain) | {"low": gain.low, "high": gain.high} for gain in gains],
    }
    if told.json and told.json != "-":
        Path(told.json).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result) if told.json == "-" else table(gains))


if __name__ == "__main__":
    main(sys.argv[1:])
