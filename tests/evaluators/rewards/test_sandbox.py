"""Ordinary Python works; programs run one sandbox further down; a worker that dies is replaced."""

import time

import pytest

from core.errors import PrerequisiteError
from core.rewards.contract import of_source
from evaluators.rewards import sandbox as sandbox_module
from evaluators.rewards import seccomp
from evaluators.rewards.sandbox import Failure, Sandbox
from evaluators.rewards.worker import ALLOWED

ORDINARY = '''
from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

LIMIT = 3


@dataclass(order=True)
class Word:
    text: str
    count: int = field(default=0, compare=False)

    def more(self) -> None:
        self.count += 1


def ordinary(completions, **kwargs):
    """Every construct that the incumbent's restricted Python turns down, and some more."""
    import copy, datetime, itertools, json, math, statistics, string

    total = 0
    for number, text in enumerate(completions):
        total += number
        print("text", number, text)
    first, *others = sorted({len(text) for text in completions})
    found = defaultdict(list)
    found["a"] += [1]
    found["d"] = {key: value for key, value in zip("ab", itertools.count())}
    found["d"]["a"] -= 1
    word = Word("x")
    word.more()

    @lru_cache(maxsize=None)
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    def letters():
        nonlocal total
        total *= 2
        yield from string.ascii_lowercase

    try:
        raise ValueError("caught")
    except ValueError as e:
        said = f"{e!s:>8}"
    if (size := len(list(letters()))) != 26 or not all([said == "  caught", fibonacci(20) == 6765]):
        return [0.0] * len(completions)
    match [first, *others]:
        case [2, 5]:
            score = 1.0
        case _:
            score = 0.5
    assert datetime.datetime.strptime("2024-02-29", "%Y-%m-%d").year == 2024
    assert copy.copy(Word("c")).text == copy.deepcopy([Word("c")])[0].text == "c"
    assert json.loads(json.dumps({"a": [1]})) == {"a": [1]} and math.isclose(statistics.fmean([1, 2]), 1.5)
    assert re.sub(r"\\s+", " ", "a  b") == "a b" and Counter("aab")["a"] == 2 and max(Word("b"), Word("a")).text == "b"
    return [score if total == 2 else 0.25 for _ in completions]
'''


def test_ordinary_python(sandbox: Sandbox) -> None:
    assert sandbox.values(of_source(ORDINARY), ["ab", "abcde"], "p") == [1.0, 1.0]


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_every_allowed_module_can_be_imported(sandbox: Sandbox, name: str) -> None:
    line = "from __future__ import annotations\n" if name == "__future__" else ""
    inner = "pass" if line else f"import {name}"
    function = of_source(f"{line}def f(completions, **kwargs):\n    {inner}\n    return [1.0 for _ in completions]\n")
    assert sandbox.values(function, ["x"], "p") == [1.0]


def test_arguments_are_those_that_are_asked_for(sandbox: Sandbox) -> None:
    text = (
        "def f(completions, prompts, extra_data, **kwargs):\n    return [len(prompts[0]) + extra_data[1]['a'][0], 0]\n"
    )
    assert sandbox.values(of_source(text), ["x", "y"], "four", {"a": [5, None]}) == [9.0, 0.0]
    text = "def f(completions, **kwargs):\n    return [len(kwargs), len(completions[1])]\n"
    assert sandbox.values(of_source(text), ["x", "ü\ud800\n🙂"], "p", {"a": 1}) == [0.0, 4.0]


def test_the_order_of_sets_is_fixed(sandbox: Sandbox) -> None:
    text = "def f(completions, **kwargs):\n    return [float(list(set('abcdefgh')).index('c'))]\n"
    with Sandbox() as other:
        assert sandbox.values(of_source(text), ["x"], "p") == other.values(of_source(text), ["x"], "p")


@pytest.mark.parametrize(
    ("program", "stdin", "status", "stdout"),
    [
        ("n = int(input())\nn += 1\nprint(n, end='')", "4", "ok", "5"),
        ("import sys\nfor line in sys.stdin: print(line.strip()[::-1])", "ab\ncd\n", "ok", "ba\ndc\n"),
        ("def main():\n    print('x')\n\nif __name__ == '__main__':\n    main()\n", "", "ok", "x\n"),
        ("import sys\nprint('bye')\nsys.exit(0)", "", "ok", "bye\n"),
        ("raise SystemExit(2)", "", "error", ""),
        ("print('before')\n1 / 0", "", "error", "before\n"),
        ("input()\ninput()", "one line", "error", ""),
        ("def f(:", "", "error", ""),
        ("print(open('/etc/passwd').read())", "", "error", ""),
        ("import os\nprint(os.getcwd())", "", "error", ""),
        ("from sandbox import run_program", "", "error", ""),
        ("while True: pass", "", "timeout", ""),
        ("while True: print('x' * 999)", "", "output", ("x" * 999 + "\n") * 65 + "x" * 536),
        ("x = bytearray(10**9)", "", "error", ""),
        ("import enum\nenum.sys.modules['os'].kill(-1, 9)", "", "error", ""),
        ("import enum\nenum.sys.modules['os'].write(1, b'{}\\n')\n", "", "error", ""),
        ('import enum\nenum.sys.modules[\'os\'].write(1, b\'{"run": "1", "stdin": ""}\\n\')', "", "error", ""),
    ],
)
def test_programs(sandbox: Sandbox, program: str, stdin: str, status: str, stdout: str) -> None:
    assert sandbox.run_program(program, stdin) == {"status": status, "stdout": stdout}


def test_what_a_program_takes_is_not_the_function_s(sandbox: Sandbox) -> None:
    """Two programs of one second each are waited for by a function that has one second of its own."""
    text = (
        "def f(completions, **kwargs):\n"
        "    from sandbox import run_program\n"
        "    runs = [run_program('while True: pass') for _ in range(2)] + [run_program('print(input())', 'well')]\n"
        "    assert [run.status for run in runs] == ['timeout', 'timeout', 'ok']\n"
        "    return [float(runs[2].stdout == 'well\\n')]\n"
    )
    assert sandbox.values(of_source(text), ["x"], "p") == [1.0]


def test_a_worker_that_was_stopped_is_replaced(sandbox: Sandbox) -> None:
    sleeper = of_source("def f(completions, **kwargs):\n    import time\n    time.sleep(60)\n")
    sound = of_source("def f(completions, **kwargs):\n    return [1.0]\n")
    began = time.monotonic()
    assert sandbox.values(sleeper, ["x"], "p") == Failure("timeout", "no answer in 3 s")
    assert sandbox.values(sound, ["x"], "p") == [1.0]
    assert time.monotonic() - began < 10


def test_what_holds_a_call_is_told(sandbox: Sandbox) -> None:
    assert sandbox.confinement.startswith("seccomp, ")


def test_no_confinement_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that the kernel does not take: nothing is run at all."""
    monkeypatch.setattr(sandbox_module.seccomp, "program", lambda: b"\xff" * 64)
    with Sandbox() as broken, pytest.raises(PrerequisiteError, match="cannot be confined here"):
        broken.values(of_source("def f(completions): return [1.0]"), ["x"], "p")


def test_a_processor_without_a_filter() -> None:
    assert len(seccomp.program("x86_64")) % 8 == len(seccomp.program("aarch64")) % 8 == 0
    with pytest.raises(PrerequisiteError, match="use x86_64 or aarch64"):
        seccomp.program("riscv64")
