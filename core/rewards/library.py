"""Our own reward functions, read as text from `core/rewards/functions/`; each stands alone, imports inside."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.challenge import RewardFunction
from core.rewards.contract import asks_for, description_of, of_source

FOLDER = Path(__file__).parent / "functions"
AFFINE = ("affine_sat", "affine_abd", "affine_ded")
"""The program-abduction family; they go together, a third of the weight each."""


@dataclass(frozen=True)
class Entry:
    """A function of the collection. Its values lie in [0, 1] whatever the completions are."""

    name: str
    theme: str
    """The file that it stands in."""
    description: str
    needs_extra: bool
    """Whether rows need an extra column that it understands."""
    function: RewardFunction


@cache
def entries() -> dict[str, Entry]:
    """By name, in order of themes and places."""
    found = [entry for path in sorted(FOLDER.glob("[a-z]*.py")) for entry in _entries(path)]
    return {entry.name: entry for entry in found}


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
            found.append(Entry(node.name, path.stem, description_of(source), extra, function))
    return found
