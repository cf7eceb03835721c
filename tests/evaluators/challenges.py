"""Small challenges of every kind, and what they come to."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core.challenge import ChatDataset, DatasetType, DpoDataset, InstructDataset
from evaluators import machine
from evaluators.challenge import Challenge
from evaluators.loading import load_base
from evaluators.measurement import Measurement

WORDS = "add the sum of two numbers for name in names print raise when one is missing 数 🙂 Zähler".split()  # noqa: SIM905
Row = dict[str, Any]


def text(draw: random.Random, least: int = 1, most: int = 12) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def instruct_rows(count: int, draw: random.Random) -> list[Row]:
    return [{"instruct": text(draw), "input": text(draw), "output": text(draw)} for _ in range(count)]


def chat_rows(count: int, draw: random.Random) -> list[Row]:
    def turns() -> list[dict[str, str]]:
        roles = ["user", "assistant"] * draw.randint(1, 2)
        return [{"from": role, "value": text(draw, 1, 5)} for role in roles]

    return [{"conversations": turns()} for _ in range(count)]


def dpo_rows(count: int, draw: random.Random) -> list[Row]:
    return [{"prompt": text(draw), "chosen": text(draw), "rejected": text(draw)} for _ in range(count)]


KINDS: dict[str, tuple[Any, DatasetType, float | None]] = {
    "instruct": (instruct_rows, InstructDataset(), None),
    "KL": (instruct_rows, InstructDataset(), 0.3),
    "chat": (chat_rows, ChatDataset(), None),
    "DPO": (dpo_rows, DpoDataset(), None),
}


def rows_of(kind: str, count: int = 24) -> list[Row]:
    return KINDS[kind][0](count, random.Random(kind))


def challenge(kind: str, base: Path, rows: list[Row] | None = None, **device: Any) -> Challenge:
    _, dataset, coefficient = KINDS[kind]
    on = replace(machine.prepare(), **device)
    return Challenge(load_base(base), rows or rows_of(kind), dataset, on, coefficient)


def by_row(measurement: Measurement) -> dict[str, tuple[float, int, tuple[tuple[str, float], ...]]]:
    """Every bit of every row's result, by the row's hash."""
    assert measurement.refusal is None, measurement.refusal
    return {row.row_sha256: (row.total, row.weight, tuple(row.parts.items())) for row in measurement.rows}


class Short:
    """A machine whose memory is short: no forward pass of more than so many tokens."""

    def __init__(self, model: torch.nn.Module, most: int) -> None:
        self.failures, self._most = 0, most
        model.get_input_embeddings().register_forward_pre_hook(self._look)

    def _look(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if inputs[0].numel() > self._most:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
