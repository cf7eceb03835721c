"""Plant an error in a copy of the rules and see whether the named tests notice.

The working tree is only read: each error gets folders of its own, which go when it is told.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.mutations.planting import Mutation

HOUSE = Path(__file__).resolve().parents[2]
ROOMS = ("core", "tournament", "tests/tournament")
FILES = ("pyproject.toml", "tests/builders.py")
PROCESSES = 2
LIMIT = 60.0
"""Seconds for the tests of one error; who loops for ever is caught by it."""


class Verdict(NamedTuple):
    mutation: Mutation
    is_caught: bool
    how: str
    """The test that noticed, or what else came of it."""


def run_all(mutations: Iterable[Mutation]) -> Iterator[Verdict]:
    """In the order of the catalogue. Raises RuntimeError when a named test fails without any error planted."""
    mutations = list(mutations)
    with TemporaryDirectory() as name, ThreadPoolExecutor(PROCESSES) as pool:
        whole = Path(name)
        copy_rooms(HOUSE, whole)
        _check_that_all_pass(whole, sorted({test for mutation in mutations for test in mutation.tests}))
        yield from pool.map(partial(run, whole), mutations)


def _check_that_all_pass(whole: Path, tests: list[str]) -> None:
    code, output = _pytest(whole, tests)
    if code != 0:
        raise RuntimeError(f"the tests fail without any planted error, so that nothing can be said:\n{output}")


def run(whole: Path, mutation: Mutation) -> Verdict:
    """Plant it in a copy of the whole rooms, and test."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy_rooms(whole, folder)
        plant(mutation, folder)
        code, output = _pytest(folder, mutation.tests)
    match code:
        case 0:
            return Verdict(mutation, False, "SURVIVED")
        case None:
            return Verdict(mutation, True, f"no end within {LIMIT:.0f} s")
        case 1:
            return Verdict(mutation, True, _failed_test(output))
        case _:
            return Verdict(mutation, False, f"it cannot even be imported:\n{output[-2000:]}")


def copy_rooms(source: Path, folder: Path) -> None:
    for room in ROOMS:
        copytree(source / room, folder / room, ignore=ignore_patterns("__pycache__", ".hypothesis"))
    for file in FILES:
        (folder / file).write_bytes((source / file).read_bytes())


def plant(mutation: Mutation, folder: Path) -> None:
    file = folder / mutation.file
    text = file.read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: {mutation.old!r} is {text.count(mutation.old)} times in {mutation.file}")
    file.write_text(text.replace(mutation.old, mutation.new))


def _pytest(folder: Path, tests: Iterable[str]) -> tuple[int | None, str]:
    """Exit code (None: over time) and output; the first failure ends it."""
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=ci",
        *tests,
    ]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def _failed_test(output: str) -> str:
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0].split("/")[-1] if failed else output[-300:]
