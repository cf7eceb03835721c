"""How long `god simulate` takes with its defaults: `python -m benchmarks.simulation`. Prints one JSON object."""

import json
import os
import subprocess
import sys
import time

BUDGET_SECONDS = 60
SEASONS = 10_000


def main() -> None:
    command = [sys.executable, "-m", "cli", "simulate", "--seasons", str(SEASONS), "--json"]
    began = time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - began
    reports = [json.loads(line) for line in output.splitlines()]
    result = {
        "command": " ".join(["god", *command[3:]]),
        "seasons": SEASONS,
        "rules": [report["rules"] for report in reports],
        "tournaments_per_second": round(3 * SEASONS * reports[0]["tournaments_per_year"] * len(reports) / seconds),
        "seconds": round(seconds, 2),
        "budget_seconds": BUDGET_SECONDS,
        "is_within_budget": seconds <= BUDGET_SECONDS,
        "cores": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
