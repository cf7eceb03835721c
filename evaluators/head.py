"""From a model's last hidden states to log-probabilities of tokens, a tile of positions at a time.

No more than one tile's logits exist at once in each thread: (tile, vocabulary) in the model's dtype and in float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax, pad

from core.errors import PrerequisiteError
from evaluators.tiles import product


@dataclass(frozen=True)
class Head:
    """The layer that gives logits, and what the architecture does to them."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    tile: int
    factor: float = 1.0
    softcap: float | None = None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(tile, hidden size) → (tile, vocabulary), in the model's dtype."""
        logits = hidden.new_empty(len(hidden), len(self.weight))
        product(hidden, self.weight, self.bias, logits)
        if self.factor != 1.0:
            logits = logits * self.factor
        if self.softcap is not None:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits

    def log_probabilities(self, hidden: torch.Tensor) -> torch.Tensor:
        """(tile, hidden size) → (tile, vocabulary), float32."""
        return log_softmax(self.logits(hidden).float(), dim=-1)

    def detached(self) -> "Head":
        """The same head in memory of its own, for when the model's is overwritten."""
        bias = None if self.bias is None else self.bias.clone()
        return Head(self.weight.clone(), bias, self.tile, self.factor, self.softcap)


def head_of(model: Any, tile: int) -> Head:
    """Raises PrerequisiteError for a model whose output layer is no linear one."""
    layer, config = model.get_output_embeddings(), model.config
    if type(layer) is not torch.nn.Linear:
        raise PrerequisiteError(f"the base's {type(model).__name__} has no linear output layer: choose another base")
    divisor = getattr(config, "logits_scaling", None) or 1.0
    factor = (getattr(config, "logit_scale", None) or 1.0) / divisor
    return Head(layer.weight, layer.bias, tile, factor, getattr(config, "final_logit_softcapping", None))


def check_head(head: Head, hidden: torch.Tensor, logits: torch.Tensor, name: str) -> None:
    """Raises PrerequisiteError when the architecture's own logits are others than the head's, (T, vocabulary) each."""
    (tile,) = tiles(hidden, head.tile)
    ours, theirs = head.log_probabilities(tile)[: len(hidden)], log_softmax(logits.float(), dim=-1)
    if not torch.allclose(ours, theirs, atol=0.1 if hidden.dtype is torch.bfloat16 else 1e-3, rtol=0):
        raise PrerequisiteError(f"{name} makes logits in a way of its own: choose another base")


def token_nats(head: Head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each target in nats: -log softmax(logits)[target].

    Args:
        hidden: (T, hidden size), the last hidden states of the tokens before.
        targets: (T,), token ids.

    Returns:
        (T,), float32, ≥ 0 or not finite.
    """
    nats = [
        -head.log_probabilities(tile).gather(1, wanted[:, None])[:, 0]
        for tile, wanted in zip(tiles(hidden, head.tile), tiles(targets, head.tile), strict=True)
    ]
    return _joined(nats, hidden)[: len(targets)]


def token_nats_and_kl(
    head: Head, hidden: torch.Tensor, targets: torch.Tensor, base: Head, base_hidden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `token_nats`; beside it KL(base ‖ model) over the vocabulary at each position, in nats."""
    nats, divergences = [], []
    every = zip(tiles(hidden, head.tile), tiles(base_hidden, head.tile), tiles(targets, head.tile), strict=True)
    for tile, base_tile, wanted in every:
        ours, theirs = head.log_probabilities(tile), base.log_probabilities(base_tile)
        nats.append(-ours.gather(1, wanted[:, None])[:, 0])
        divergences.append(kl_div(ours, theirs, reduction="none", log_target=True).sum(-1))
    return _joined(nats, hidden)[: len(targets)], _joined(divergences, hidden)[: len(targets)]


def tiles(rows: torch.Tensor, tile: int) -> Iterator[torch.Tensor]:
    """The rows, filled up with zeros to whole tiles, tile by tile."""
    missing = -len(rows) % tile
    filled = pad(rows, (0, 0) * (rows.dim() - 1) + (0, missing)) if missing else rows
    return iter(filled.split(tile)) if len(filled) else iter(())


def _joined(parts: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts) if parts else like.new_empty(0, dtype=torch.float32)
