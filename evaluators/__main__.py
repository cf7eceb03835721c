"""`python -m evaluators /job…`: answer each job's `spec.json` with `report.json` in its outputs, written last.

Jobs of one challenge, one after another, share the base in memory; each has its own report, whatever becomes of the
others. Exit code 0: every job has a report, a number or a refusal with its reason. Otherwise it is ours: no report for
some job, and the reason in one line on stderr for each.

`python -m evaluators rewards /job`: try a challenge's reward functions, as `python -m evaluators.rewards /job` does.
`python -m evaluators rows /job`: read a challenge's rows as measuring would (`evaluators/reading.py`).
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from core.errors import GodError
from evaluators import job, lean
from evaluators.registry import Registry
from evaluators.rewards.__main__ import main as validate_rewards


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        return _ours("usage: python -m evaluators <job folder>…")
    if arguments[0] == "rewards":
        return validate_rewards(arguments[1:])
    if arguments[0] == "rows":
        reading: Any = import_module("evaluators.reading")
        return max(_attempt(reading.answer, Path(argument)) for argument in arguments[1:])
    answer = partial(_answer, Registry())
    return max(_attempt(answer, Path(argument)) for argument in arguments)


def _attempt(answer: Callable[[Path], None], folder: Path) -> int:
    try:
        answer(folder)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _ours(f"{first['msg']} (at {where or 'its top'}): spec.json is no {e.title}")
    except (GodError, OSError, MemoryError) as e:
        return _ours(f"{type(e).__name__}: {e}")
    return 0


def _answer(registry: Registry, folder: Path) -> None:
    began = time.perf_counter()
    spec = job.read_spec(folder)
    job.clear(spec)
    measurement = registry.evaluate(spec)
    seconds = time.perf_counter() - began
    job.write(spec, measurement, seconds)
    print(f"{measurement.summary}; {seconds:.1f} s", flush=True)


def _ours(message: str) -> int:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    return 2


def _alone() -> NoReturn:
    """`main` in a process of its own. Collecting garbage while modules load, and taking torch down, cost 2 s of 10."""
    gc.set_threshold(200_000)
    if sys.argv[1:2] != ["rewards"]:
        lean.import_libraries()
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _alone()
