"""Rows of an instruct test set as token ids. The rules stand at the head of `evaluators/language.py`."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.challenge import InstructDataset
from core.errors import PrerequisiteError

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One row, ready for the model."""

    tokens: tuple[int, ...]
    answer_tokens: int
    """The last so many are the answer; each of them has a token before it."""


def tokenize(rows: Sequence[Row], dataset: InstructDataset, tokenizer: Any, length: int) -> Iterator[Sample]:
    """A sample for every row, in order, none longer than `length`."""
    check_formats(dataset)
    bos, eos = special_tokens(tokenizer)
    for number, row in enumerate(rows):
        prompt = tokenizer(prompt_of(row, dataset, number), add_special_tokens=False).input_ids
        text = _text(row, dataset.field_output, number)
        answer = tokenizer(text, add_special_tokens=False).input_ids + eos if text else []
        yield cut(bos, prompt, answer, length)


def cut(bos: list[int], prompt: list[int], answer: list[int], length: int) -> Sample:
    """The answer first loses its right end, to `length` - 1; then the prompt its left end."""
    answer = answer[: length - 1]
    room = length - len(answer) - len(bos)
    context = bos + (prompt[-room:] if room > 0 else [])
    return Sample((*context, *answer), len(answer) if context else max(len(answer) - 1, 0))


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What stands before every prompt, and what after every answer that is not empty."""
    begins = tokenizer("").input_ids[:1]
    bos = begins if begins == [tokenizer.bos_token_id] else []
    eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return bos, eos


def prompt_of(row: Row, dataset: InstructDataset, number: int = 0) -> str:
    instruction = _text(row, dataset.field_instruction, number)
    extra = _text(row, dataset.field_input, number)
    system = _text(row, dataset.field_system, number) if dataset.field_system else dataset.system_prompt
    turn = dataset.format if extra else dataset.no_input_format
    head = dataset.system_format.format(system=system) if system else ""
    return head + turn.format(instruction=instruction, input=extra)


def check_formats(dataset: InstructDataset) -> None:
    """Raises PrerequisiteError for a format with anything but plain fields: `{instruction.x}` reaches into objects."""
    allowed = {"format": {"instruction", "input"}, "no_input_format": {"instruction"}, "system_format": {"system"}}
    for name, fields in allowed.items():
        text = getattr(dataset, name)
        try:
            used = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
        except ValueError as e:
            raise PrerequisiteError(f"dataset_type.{name} {text!r} is no format: {e}") from e
        if any(part[0] not in fields or part[1] or part[2] for part in used):
            raise PrerequisiteError(f"dataset_type.{name} {text!r} may have only the fields {sorted(fields)}, plain")


def _text(row: Row, column: str | None, number: int) -> str:
    value = row.get(column) if column else None
    if not isinstance(value, str | None):
        raise PrerequisiteError(f"row {number} of the test set: {column!r} is no text: prepare the challenge again")
    return value or ""
