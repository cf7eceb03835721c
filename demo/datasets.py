"""Three instruct datasets of the library's functions, each in its own column names as datasets of a hub are."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.challenge import ChallengeKind, DatasetInfo
from core.value import sha256_hex
from demo.library import Function

Row = dict[str, str]
SOURCE_CHARACTERS = 600
DOCSTRING_CHARACTERS = range(20, 401)
BODY_CHARACTERS = range(20, 301)


@dataclass(frozen=True)
class Recipe:
    """How rows are made. `columns` are those of the instruction, the input and the output, in this order."""

    dataset_id: str
    columns: tuple[str, str, str]
    row: Callable[[Function], tuple[str, str, str]]
    lengths: range
    """Of the output, in characters."""


def cut(source: str) -> str:
    """Whole lines from the start, at most SOURCE_CHARACTERS, and a mark where more followed."""
    if len(source) <= SOURCE_CHARACTERS:
        return source
    return source[: source.rfind("\n", 0, SOURCE_CHARACTERS - 8)][: SOURCE_CHARACTERS - 8] + "\n    ..."


def _docstring(function: Function) -> tuple[str, str, str]:
    return "Write the docstring of this Python function.", cut(function.source), function.docstring


def _signature(function: Function) -> tuple[str, str, str]:
    return "Write the first line of the Python function that does this.", function.docstring, function.signature


def _body(function: Function) -> tuple[str, str, str]:
    described = f"{function.signature}\n    # {function.docstring}"
    return "Complete the body of this Python function.", described, function.body


RECIPES = (
    Recipe("stdlib-bodies", ("order", "head", "body"), _body, BODY_CHARACTERS),
    Recipe("stdlib-docstrings", ("task", "source", "docstring"), _docstring, DOCSTRING_CHARACTERS),
    Recipe("stdlib-signatures", ("request", "description", "signature"), _signature, range(20, 201)),
)


def rows(recipe: Recipe, functions: Iterable[Function]) -> list[Row]:
    """The dataset, in the library's order; no answer and no question appears twice."""
    used = different((f for f in functions if _fits(recipe, f)), lambda function: recipe.row(function)[1:])
    return [dict(zip(recipe.columns, recipe.row(f), strict=True), module=f.module) for f in used]


def _fits(recipe: Recipe, function: Function) -> bool:
    _, question, answer = recipe.row(function)
    return len(answer) in recipe.lengths and len(question) <= SOURCE_CHARACTERS


def different(functions: Iterable[Function], texts: Callable[[Function], Iterable[str]]) -> list[Function]:
    """Those with a docstring of our lengths, without any that shares one of its texts with an earlier one."""
    kept: list[Function] = []
    seen: set[str] = set()
    for function in functions:
        if len(function.docstring) in DOCSTRING_CHARACTERS and seen.isdisjoint(new := set(texts(function))):
            seen |= new
            kept.append(function)
    return kept


def write(recipe: Recipe, functions: Iterable[Function], folder: Path) -> DatasetInfo:
    """Write it into the hub's folder of datasets."""
    columns = dict(zip(("instruct", "input", "output"), recipe.columns, strict=True))
    return publish(
        rows(recipe, functions), folder, dataset_id=recipe.dataset_id, kind=ChallengeKind.INSTRUCT, columns=columns
    )


def publish(rows: Sequence[Mapping[str, Any]], folder: Path, **about: Any) -> DatasetInfo:
    """Write `<id>.jsonl` and then `<id>.json`, which says `about` it what `DatasetInfo` asks for besides."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    info = DatasetInfo(revision=sha256_hex(lines), rows=len(rows), **about)
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / f"{info.dataset_id}.jsonl", lines)
    replace(folder / f"{info.dataset_id}.json", info.model_dump_json(indent=2, exclude_defaults=True).encode())
    return info


def replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
