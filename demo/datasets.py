"""Three instruct datasets of the library's functions, each in its own column names as datasets of a hub are."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

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
    made: list[Row] = []
    seen: set[str] = set()
    for function in functions:
        if len(function.docstring) not in DOCSTRING_CHARACTERS:
            continue
        texts = recipe.row(function)
        _, question, answer = texts
        if len(answer) in recipe.lengths and len(question) <= SOURCE_CHARACTERS and not seen & {question, answer}:
            seen |= {question, answer}
            made.append(dict(zip(recipe.columns, texts, strict=True), module=function.module))
    return made


def write(recipe: Recipe, functions: Iterable[Function], folder: Path) -> DatasetInfo:
    """Write `<id>.jsonl` and then `<id>.json` into the hub's folder of datasets."""
    made = rows(recipe, functions)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made).encode()
    info = DatasetInfo(
        dataset_id=recipe.dataset_id,
        revision=sha256_hex(lines),
        kind=ChallengeKind.INSTRUCT,
        rows=len(made),
        columns=dict(zip(("instruct", "input", "output"), recipe.columns, strict=True)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / f"{recipe.dataset_id}.jsonl", lines)
    replace(folder / f"{recipe.dataset_id}.json", info.model_dump_json(indent=2, exclude_defaults=True).encode())
    return info


def replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
