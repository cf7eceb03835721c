"""Rows of an instruct test set as samples. The rules are in docs/measurement.md, chapter 2."""

from collections.abc import Sequence
from typing import Any

from core.challenge import InstructDataset
from evaluators.packing import Sample, TokenSequence
from evaluators.rows import Row, check_format, require_columns, text_of


def samples(rows: Sequence[Row], dataset: InstructDataset, tokenizer: Any, length: int) -> list[Sample]:
    """A sample for every row, in order, none longer than `length` tokens."""
    check_formats(dataset)
    require_columns(rows, (dataset.field_instruction, dataset.field_output, dataset.field_system))
    bos, eos = special_tokens(tokenizer)
    found: list[Sample] = []
    for number, row in enumerate(rows):
        prompt, answer = texts_of(row, dataset, number)
        ending = eos if answer else []
        found.append((cut(bos, encode(tokenizer, prompt), encode(tokenizer, answer) + ending, length),))
    return found


def texts_of(row: Row, dataset: InstructDataset, number: int = 0) -> tuple[str, str]:
    """Prompt and answer; without an output column the instruction is the answer, to nothing."""
    if dataset.field_output is None:
        return "", text_of(row, dataset.field_instruction, number)
    return prompt_of(row, dataset, number), text_of(row, dataset.field_output, number)


def prompt_of(row: Row, dataset: InstructDataset, number: int = 0) -> str:
    instruction = text_of(row, dataset.field_instruction, number)
    extra = text_of(row, dataset.field_input, number)
    system = text_of(row, dataset.field_system, number) if dataset.field_system else dataset.system_prompt
    turn = dataset.format if extra else dataset.no_input_format
    head = dataset.system_format.format(system=system) if system else ""
    return head + turn.format(instruction=instruction, input=extra)


def cut(bos: list[int], prompt: list[int], answer: list[int], length: int) -> TokenSequence:
    """The answer first loses its right end, to `length` - 1; then the prompt its left end."""
    answer = answer[: length - 1]
    context = bos + left_cut(prompt, length - len(answer) - len(bos))
    tokens = (*context, *answer)
    return TokenSequence(tokens, tuple(range(max(1, len(context)), len(tokens))))


def left_cut(prompt: list[int], room: int) -> list[int]:
    return prompt[-room:] if room > 0 else []


def encode(tokenizer: Any, text: str) -> list[int]:
    """Without special tokens of the tokenizer's own."""
    tokens: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return tokens


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What stands before every prompt, and what after every answer that is not empty."""
    begins = tokenizer("").input_ids[:1]
    bos = begins if begins == [tokenizer.bos_token_id] else []
    eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return bos, eos


def check_formats(dataset: InstructDataset) -> None:
    check_format("format", dataset.format, {"instruction", "input"})
    check_format("no_input_format", dataset.no_input_format, {"instruction"})
    check_format("system_format", dataset.system_format, {"system"})
