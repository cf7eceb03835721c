"""The challenge's reward functions, in a process of their own: a call that hangs or crashes costs its group a zero.

`Judge` is our side. The other side is this file run as a script: a JSON object a line in, an answer a line out.
"""

import contextlib
import json
import math
import os
import resource
import select
import subprocess
import sys
import types
from collections.abc import Sequence
from typing import Any, NamedTuple

MEMORY_BYTES = 2 << 30
PROGRAM_SECONDS = 5.0


class Judge:
    """Rewards in [0, 1], as the evaluation gives them: a function's value is cut to [0, 1], weights sum to 1."""

    def __init__(self, functions: Sequence[dict[str, Any]], seconds: float) -> None:
        whole = math.fsum(function["reward_weight"] for function in functions)
        self.functions = [(function["reward_func"], function["reward_weight"] / whole) for function in functions]
        self.seconds = seconds
        self.process: subprocess.Popen[bytes] | None = None

    def rewards(self, completions: Sequence[str], prompt: str, extra: Any) -> list[float]:
        """One for each completion of a prompt."""
        totals = [0.0] * len(completions)
        for source, share in self.functions:
            call = {"source": source, "completions": list(completions), "prompt": prompt, "extra": extra}
            for number, value in enumerate(self._values(call)):
                totals[number] += share * min(max(value, 0.0), 1.0)
        return totals

    def _values(self, call: dict[str, Any]) -> list[float]:
        """A function's own; each completion alone where all together fail, 0 for one that fails alone."""
        values = self._ask(call)
        if values is not None:
            return values
        alone = [self._ask(call | {"completions": [each]}) for each in call["completions"]]
        return [value[0] if value else 0.0 for value in alone]

    def _ask(self, call: dict[str, Any]) -> list[float] | None:
        """None: it failed, or took too long."""
        process = self.process = self.process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(call).encode() + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self.seconds)
            values = json.loads(process.stdout.readline()) if ready else None
        except (OSError, ValueError):
            values = None
        if not _are_numbers(values, len(call["completions"])):
            self.stop()
            return None
        return values

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.communicate()
            self.process = None


def _are_numbers(values: object, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(_is_number, values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# ── The other side ───────────────────────────────────────────────────────────────────────────────────────────────────


class Run(NamedTuple):
    status: str
    stdout: str


def run_program(source: str, stdin: str = "") -> Run:
    """What functions that try programs import from `sandbox`."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", source],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Run("timeout", "")
    return Run("ok" if done.returncode == 0 else "error", done.stdout)


def function_of(source: str) -> Any:
    """The one function that takes `completions`."""
    module: dict[str, Any] = {"__name__": "reward"}
    exec(compile(source, "reward", "exec"), module)  # noqa: S102
    found = [each for each in module.values() if isinstance(each, types.FunctionType)]
    return next(each for each in found if each.__code__.co_varnames[:1] == ("completions",))


def serve(words: Any, answers: Any) -> None:
    known: dict[str, Any] = {}
    for line in words:
        call = json.loads(line)
        function = known.setdefault(call["source"], None) or function_of(call["source"])
        known[call["source"]] = function
        count, given = len(call["completions"]), {}
        names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
        for name, value in (("prompts", call["prompt"]), ("extra_data", call["extra"])):
            if name in names:
                given[name] = [value] * count
        answers.write(json.dumps(list(function(completions=call["completions"], **given))) + "\n")
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sandbox = types.ModuleType("sandbox")
    sandbox.__dict__.update(run_program=run_program, Run=Run)
    sys.modules["sandbox"] = sandbox
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a function prints is no answer
    serve(sys.stdin, mine)
