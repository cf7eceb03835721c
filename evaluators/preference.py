"""Rows of a DPO test set as samples of two sequences. The rules are in docs/measurement.md, chapter 5."""

from collections.abc import Sequence
from typing import Any

from core.challenge import DpoDataset
from evaluators.instruct import encode, left_cut, special_tokens
from evaluators.packing import Sample, TokenSequence
from evaluators.rows import Row, check_format, names_field, require_columns, text_of


def samples(rows: Sequence[Row], dataset: DpoDataset, tokenizer: Any, length: int) -> list[Sample]:
    """For every row the chosen and the rejected sequence; without counted tokens where the row shows no preference."""
    check_formats(dataset)
    columns = (dataset.field_prompt, dataset.field_chosen, dataset.field_rejected, dataset.field_system)
    require_columns(rows, columns)
    return [_pair(row, dataset, tokenizer, length, number) for number, row in enumerate(rows)]


def _pair(row: Row, dataset: DpoDataset, tokenizer: Any, length: int, number: int) -> Sample:
    bos, eos = special_tokens(tokenizer)
    texts = answers_of(row, dataset, number)
    chosen, rejected = ((encode(tokenizer, text) + eos)[: length - 1] if text else [] for text in texts)
    prompt = encode(tokenizer, prompt_of(row, dataset, number))
    room = length - len(bos) - max(len(chosen), len(rejected))
    context = bos + left_cut(prompt, room)
    counts = bool(context and chosen and rejected and chosen != rejected)
    return _sequence(context, chosen, counts), _sequence(context, rejected, counts)


def _sequence(context: list[int], answer: list[int], counts: bool) -> TokenSequence:
    tokens = (*context, *answer)
    return TokenSequence(tokens, tuple(range(len(context), len(tokens))) if counts else ())


def prompt_of(row: Row, dataset: DpoDataset, number: int = 0) -> str:
    """`prompt_format`; a system text that it does not name stands before it."""
    system, prompt = (text_of(row, column, number) for column in (dataset.field_system, dataset.field_prompt))
    head = "" if names_field(dataset.prompt_format, "system") else system
    return head + dataset.prompt_format.format(prompt=prompt, system=system)


def answers_of(row: Row, dataset: DpoDataset, number: int = 0) -> tuple[str, str]:
    """Chosen and rejected, each by its format; an empty answer stays empty."""
    chosen, rejected = (text_of(row, column, number) for column in (dataset.field_chosen, dataset.field_rejected))
    return (
        dataset.chosen_format.format(chosen=chosen) if chosen else "",
        dataset.rejected_format.format(rejected=rejected) if rejected else "",
    )


def check_formats(dataset: DpoDataset) -> None:
    check_format("prompt_format", dataset.prompt_format, {"prompt", "system"})
    check_format("chosen_format", dataset.chosen_format, {"chosen"})
    check_format("rejected_format", dataset.rejected_format, {"rejected"})
