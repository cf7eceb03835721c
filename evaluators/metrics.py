"""Pure tensor functions."""

import torch

CHUNK = 256
"""Positions whose full-vocabulary float32 log-probabilities are held at once."""


def token_nats(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each target, in nats: -log softmax(logits)[target], computed in float32.

    Args:
        logits: (T, V), any float dtype; `logits[t]` predicts `targets[t]`.
        targets: (T,), token ids.

    Returns:
        (T,), float32, ≥ 0 or not finite.
    """
    chunks = [
        torch.nn.functional.cross_entropy(logits[at : at + CHUNK].float(), targets[at : at + CHUNK], reduction="none")
        for at in range(0, len(targets), CHUNK)
    ]
    return torch.cat(chunks)
