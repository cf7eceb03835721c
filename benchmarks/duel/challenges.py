"""Small challenges of every kind, of the standard library's functions."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.challenge import ChallengeKind, ChatDataset, DatasetType, DpoDataset, GrpoDataset, InstructDataset
from core.rewards.library import entries
from demo import datasets, kinds
from demo.library import Function, modules

Row = dict[str, Any]
MOST_ROWS, FEW_ROWS = 2000, 300
TEST_ROWS, TEST_PROMPTS = 120, 40


@dataclass(frozen=True)
class DuelChallenge:
    name: str
    kind: ChallengeKind
    dataset_type: DatasetType
    train: list[Row]
    test: list[Row]
    kl_coefficient: float | None = None


Source = tuple[ChallengeKind, DatasetType, list[Row]]


def challenges() -> list[DuelChallenge]:
    """Each from a split of its own."""
    functions = [function for module in modules() for function in module.functions]
    instruct = {recipe.dataset_id: _instruct(recipe, functions) for recipe in datasets.RECIPES}
    chat, preferences, parameters = (_of_kind(recipe, functions) for recipe in kinds.KIND_RECIPES)
    forms = _forms(parameters, ("varied_words", "near_30_words"))
    ours = [_challenge(name.removeprefix("stdlib-"), source) for name, source in instruct.items()]
    return [
        *ours,
        _challenge("docstrings, few rows", instruct["stdlib-docstrings"], most=FEW_ROWS),
        _challenge("signatures, with KL", instruct["stdlib-signatures"], kl_coefficient=0.1),
        _challenge("chat", chat),
        _challenge("chat, few rows", chat, most=FEW_ROWS),
        _challenge("the docstring of this function", preferences),
        _challenge("words in order", _ordered(preferences)),
        _challenge("words in order, few rows", _ordered(preferences), most=FEW_ROWS),
        _challenge("whole sentences preferred", _whole(preferences)),
        _challenge("parameters by rewards", parameters),
        _challenge("form by rewards", forms),
        _challenge("sentences by rewards", _forms(parameters, ("whole_sentences", "short_answer", "mostly_letters"))),
    ]


def _challenge(name: str, source: Source, most: int = MOST_ROWS, kl_coefficient: float | None = None) -> DuelChallenge:
    kind, dataset_type, rows = source
    shuffled = random.Random(name).sample(rows, len(rows))
    held_out = TEST_PROMPTS if kind is ChallengeKind.GRPO else TEST_ROWS
    train, test = shuffled[held_out : held_out + most], shuffled[:held_out]
    return DuelChallenge(name, kind, dataset_type, train, test, kl_coefficient)


def _instruct(recipe: datasets.Recipe, functions: Sequence[Function]) -> Source:
    instruction, extra, output = recipe.columns
    kind = InstructDataset(field_instruction=instruction, field_input=extra, field_output=output)
    return ChallengeKind.INSTRUCT, kind, list(datasets.rows(recipe, functions))


def _of_kind(recipe: kinds.KindRecipe, functions: Sequence[Function]) -> Source:
    """The kind's description with the dataset's own column names."""
    columns = recipe.columns
    described: dict[ChallengeKind, Callable[[], DatasetType]] = {
        ChallengeKind.CHAT: lambda: _chat(recipe, columns["conversations"]),
        ChallengeKind.DPO: lambda: DpoDataset(**{f"field_{ours}": theirs for ours, theirs in columns.items()}),
        ChallengeKind.GRPO: lambda: _rewarded(recipe, columns),
    }
    return recipe.kind, described[recipe.kind](), kinds.rows(recipe, functions)


def _chat(recipe: kinds.KindRecipe, column: str) -> ChatDataset:
    given = recipe.dataset_type()
    assert isinstance(given, ChatDataset)
    return given.model_copy(update={"chat_column": column})


def _rewarded(recipe: kinds.KindRecipe, columns: dict[str, str]) -> GrpoDataset:
    given = recipe.dataset_type()
    assert isinstance(given, GrpoDataset)
    return given.model_copy(update={"field_prompt": columns["prompt"], "extra_column": columns["extra_data"]})


def _forms(source: Source, names: Sequence[str]) -> Source:
    """The same prompts, judged by the form of the answer."""
    kind, dataset_type, rows = source
    assert isinstance(dataset_type, GrpoDataset)
    functions = tuple(entries()[name].function for name in names)
    return kind, GrpoDataset(field_prompt=dataset_type.field_prompt, reward_functions=functions), rows


def _ordered(source: Source) -> Source:
    """Of the same words, those in order are preferred."""
    return _rejecting(source, lambda words: random.Random(" ".join(words)).sample(words, len(words)))


def _whole(source: Source) -> Source:
    """The whole sentence is preferred to its first half."""
    return _rejecting(source, lambda words: words[: (len(words) + 1) // 2])


def _rejecting(source: Source, spoil: Callable[[list[str]], list[str]]) -> Source:
    """The chosen answers, and what `spoil` makes of their words as the rejected ones."""
    kind, dataset_type, rows = source
    assert isinstance(dataset_type, DpoDataset)
    chosen, rejected = dataset_type.field_chosen, dataset_type.field_rejected
    made = [row | {rejected: " ".join(spoil(row[chosen].split()))} for row in rows]
    return kind, dataset_type, [row for row in made if row[chosen] != row[rejected]]
