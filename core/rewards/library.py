"""Our own reward functions, read as text from `core/rewards/functions/`; each stands alone, imports inside."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.challenge import RewardFunction
from core.rewards.contract import asks_for, description_of, of_source

FOLDER = Path(__file__).parent / "functions"


@dataclass(frozen=True)
class Entry:
    """A function of the collection. Its values lie in [0, 1] whatever the completions are."""

    name: str
    description: str
    needs_extra: bool
    """Whether rows need an extra column that it understands."""
    function: RewardFunction


@cache
def entries() -> dict[str, Entry]:
    """By name, in order of files and places."""
    found = [entry for path in sorted(FOLDER.glob("[a-z]*.py")) for entry in _entries(path)]
    return {entry.name: entry for entry in found}


def is_ours(function: RewardFunction) -> bool:
    """It is of the collection, and so under test."""
    return function.func_hash in _hashes()


@cache
def _hashes() -> frozenset[str]:
    return frozenset(entry.function.func_hash for entry in entries().values())


def generic() -> tuple[RewardFunction, ...]:
    """Those that judge an answer to any prompt: what challenges without an extra column draw from."""
    return tuple(entry.function for entry in entries().values() if not entry.needs_extra)


def _entries(path: Path) -> list[Entry]:
    text = path.read_text(encoding="utf-8")
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            source = (ast.get_source_segment(text, node) or "") + "\n"
            extra = asks_for(source, "extra_data")
            function = of_source(source, is_generic=not extra)
            found.append(Entry(node.name, description_of(source), extra, function))
    return found
