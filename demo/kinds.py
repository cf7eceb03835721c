"""Datasets of the other kinds, of the library's functions too: conversations, preferences, checkable answers."""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.challenge import ChallengeKind, ChatDataset, DatasetInfo, DatasetType, GrpoDataset
from core.rewards.library import entries
from demo.datasets import cut, different, publish
from demo.library import Function

Row = dict[str, Any]
FAR = 997
"""How many functions away the docstring is that a preference rejects: seldom of the same module."""


@dataclass(frozen=True)
class KindRecipe:
    """How rows of one kind are made. `row` is given the functions and a place among them; None: no row of that one."""

    dataset_id: str
    kind: ChallengeKind
    columns: dict[str, str]
    """Our column name → the dataset's."""
    row: Callable[[Sequence[Function], int], Row | None]
    dataset_type: Callable[[], DatasetType | None] = lambda: None


def _conversation(functions: Sequence[Function], place: int) -> Row:
    function = functions[place]
    turns = [
        ("user", f"What does this Python function do?\n\n{cut(function.source)}"),
        ("assistant", function.docstring),
        ("user", "What is its first line?"),
        ("assistant", function.signature),
    ]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _preference(functions: Sequence[Function], place: int) -> Row | None:
    function, other = functions[place], functions[(place + FAR) % len(functions)]
    if function.docstring == other.docstring:
        return None
    question = f"Write the docstring of this Python function.\n\n{cut(function.source)}"
    return {"question": question, "better": function.docstring, "worse": other.docstring}


def _checkable(functions: Sequence[Function], place: int) -> Row | None:
    function = functions[place]
    names = parameters(function.signature)
    if not names:
        return None
    question = "Name the parameters of this Python function, and end with their number.\n\n"
    return {"question": question + cut(function.source), "expected": {"answer": len(names), "keywords": names}}


def parameters(signature: str) -> list[str]:
    """Names of all of them, in their order."""
    definition = ast.parse(f"{signature} ...").body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    given = definition.args
    single = [argument for argument in (given.vararg, given.kwarg) if argument is not None]
    return [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, *single)]


def _rewards() -> GrpoDataset:
    weights = {"covers_keywords": 0.6, "final_number": 0.4}
    return GrpoDataset(
        reward_functions=tuple(
            entries()[name].function.model_copy(update={"reward_weight": weight}) for name, weight in weights.items()
        )
    )


def _messages() -> ChatDataset:
    return ChatDataset(chat_role_field="role", chat_content_field="content")


KIND_RECIPES = (
    KindRecipe("stdlib-conversations", ChallengeKind.CHAT, {"conversations": "messages"}, _conversation, _messages),
    KindRecipe(
        "stdlib-preferences",
        ChallengeKind.DPO,
        {"prompt": "question", "chosen": "better", "rejected": "worse"},
        _preference,
    ),
    KindRecipe(
        "stdlib-parameters",
        ChallengeKind.GRPO,
        {"prompt": "question", "extra_data": "expected"},
        _checkable,
        _rewards,
    ),
)


def rows(recipe: KindRecipe, functions: Iterable[Function]) -> list[Row]:
    """The dataset, in the library's order; no function's source or docstring is in it twice."""
    used = different(functions, lambda function: (function.docstring, cut(function.source)))
    made = (recipe.row(used, place) for place in range(len(used)))
    return [row | {"module": function.module} for row, function in zip(made, used, strict=True) if row is not None]


def write(recipe: KindRecipe, functions: Iterable[Function], folder: Path) -> DatasetInfo:
    """Write it into the hub's folder of datasets."""
    return publish(
        rows(recipe, functions),
        folder,
        dataset_id=recipe.dataset_id,
        kind=recipe.kind,
        columns=recipe.columns,
        dataset_type=recipe.dataset_type(),
    )
