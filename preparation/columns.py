"""The standard columns of each kind, and how a challenge's rows are read once they have them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from core.challenge import (
    ChallengeKind,
    ChatDataset,
    DatasetInfo,
    DatasetType,
    DpoDataset,
    GrpoDataset,
    InstructDataset,
    RewardFunction,
)
from preparation.rewards import check_contract

Kind = TypeVar("Kind", InstructDataset, ChatDataset, DpoDataset)

REQUIRED = {
    ChallengeKind.INSTRUCT: ("instruct", "output"),
    ChallengeKind.CHAT: ("conversations",),
    ChallengeKind.DPO: ("prompt", "chosen", "rejected"),
    ChallengeKind.GRPO: ("prompt",),
}
"""Standard columns that no row may have empty; see `required_columns`."""
OPTIONAL = {
    ChallengeKind.INSTRUCT: ("input", "system"),
    ChallengeKind.CHAT: (),
    ChallengeKind.DPO: ("system",),
    ChallengeKind.GRPO: ("extra_data",),
}


def check_columns(source: Iterable[Mapping[str, Any]], dataset: DatasetInfo) -> None:
    """Raises ValueError for a mapping that does not fit the kind, and for a column that is in no row."""
    _check_mapping(dataset)
    there = {column for row in source if isinstance(row, Mapping) for column in row}
    if missing := sorted(set(dataset.columns.values()) - there):
        raise ValueError(
            f"dataset {dataset.dataset_id} has no column {', '.join(missing)}; it has {sorted(map(str, there))[:50]}: "
            "correct the columns that its entry in the hub names"
        )


def _check_mapping(dataset: DatasetInfo) -> None:
    kind, ours = dataset.kind, dataset.columns.keys()
    if kind not in REQUIRED:
        raise ValueError(f"dataset {dataset.dataset_id} is of {kind}: its rows are not text; prepare it elsewhere")
    required, optional = required_columns(dataset), OPTIONAL[kind]
    if (missing := set(required) - ours) or (unknown := ours - {*required, *optional}):
        fault = f"do not say which is {sorted(missing)[0]}" if missing else f"name {sorted(unknown)[0]}"
        raise ValueError(
            f"the columns of dataset {dataset.dataset_id} {fault}; {kind} has {', '.join(required)}"
            f"{' and, where there is one, ' + ', '.join(optional) if optional else ''}: correct its entry in the hub"
        )


def required_columns(dataset: DatasetInfo) -> tuple[str, ...]:
    """An instruct dataset whose description says that it has no output (completion) needs none."""
    if _is_completion(dataset):
        return ("instruct",)
    return REQUIRED[dataset.kind]


def _is_completion(dataset: DatasetInfo) -> bool:
    return isinstance(dataset.dataset_type, InstructDataset) and dataset.dataset_type.field_output is None


def standard_type(dataset: DatasetInfo, reward_functions: Sequence[RewardFunction] = ()) -> DatasetType:
    """How prepared rows are read: the standard names, with the dataset's own formats and template.

    Raises ValueError for a description of another kind, and for a GRPO challenge whose reward functions are none.
    """
    names = {name for part in dataset.parts or (dataset,) for name in part.columns}
    match dataset.kind:
        case ChallengeKind.INSTRUCT:
            return _given(dataset, InstructDataset).model_copy(update=_instruct(dataset, names))
        case ChallengeKind.CHAT:
            return ChatDataset(chat_template=_given(dataset, ChatDataset).chat_template)
        case ChallengeKind.DPO:
            return _given(dataset, DpoDataset).model_copy(update=_dpo(names))
        case ChallengeKind.GRPO:
            return _grpo(dataset, names, reward_functions)
        case _:
            raise ValueError(f"dataset {dataset.dataset_id} is of {dataset.kind}: its rows are not text")


def _instruct(dataset: DatasetInfo, names: set[str]) -> dict[str, str | None]:
    return {
        "field_instruction": "instruct",
        "field_input": "input",
        "field_output": None if _is_completion(dataset) else "output",
        "field_system": "system" if "system" in names else None,
    }


def _dpo(names: set[str]) -> dict[str, str | None]:
    return {
        "field_prompt": "prompt",
        "field_chosen": "chosen",
        "field_rejected": "rejected",
        "field_system": "system" if "system" in names else None,
    }


def _grpo(dataset: DatasetInfo, names: set[str], drawn: Sequence[RewardFunction]) -> GrpoDataset:
    own = dataset.dataset_type.reward_functions if isinstance(dataset.dataset_type, GrpoDataset) else ()
    functions = own or tuple(drawn)
    if not functions:
        raise ValueError(
            f"dataset {dataset.dataset_id} has no reward functions: name them in its entry, or add some to the hub"
        )
    check_contract(functions, dataset.dataset_id, has_extra="extra_data" in names)
    return GrpoDataset(
        field_prompt="prompt",
        reward_functions=functions,
        extra_column="extra_data" if "extra_data" in names else None,
    )


def given_chat(dataset: DatasetInfo) -> ChatDataset:
    """Names of a message's fields and roles in the source."""
    return _given(dataset, ChatDataset)


def _given(dataset: DatasetInfo, kind: type[Kind]) -> Kind:
    given = dataset.dataset_type
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise ValueError(
            f"dataset {dataset.dataset_id} is of {dataset.kind}, but described as {type(given).__name__}: "
            "correct its entry in the hub"
        )
    return given
