"""Completions that anybody can draw again: the same prompt, model and seed give the same tokens, alone or in company.

A token is drawn by inverting the distribution function: the softmax of the logits (temperature 1, nothing cut off) is
summed in the order of token ids in float64, and the token is the first whose sum exceeds u × the whole. u has 53 bits
of SHA-256 over seed, prompt, number of the completion and place in it: no generator, hence no state and no order.

Every prompt is read once, alone; its completions are then written together, always so many rows and each to the end,
also where one is finished: no kernel's shape depends on what is written or on other prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch

from core.errors import SubmissionError

BLOCK = 512
"""Tokens whose weights are summed up at a time; the blocks' sums then find the token's block."""
_MANTISSA = 53


@dataclass(frozen=True)
class Drawn:
    """What a model makes of one prompt."""

    prompt_logits: torch.Tensor
    """(T, V), in the model's dtype: `prompt_logits[t]` predicts what follows the prompt's token t."""
    completions: tuple[tuple[int, ...], ...]
    """Token ids, up to the one that ends them, which is left out."""


def uniform(seed: str, prompt_sha256: str, completion: int, place: int) -> float:
    """In [0, 1), on the grid of 2⁻⁵³."""
    digest = sha256(f"{seed}:{prompt_sha256}:{completion}:{place}".encode()).digest()
    return float((int.from_bytes(digest[:8]) >> (64 - _MANTISSA)) * 2.0**-_MANTISSA)


def choose(logits: torch.Tensor, uniforms: Sequence[float]) -> list[int]:
    """A token for every row. Raises SubmissionError where a logit is no number.

    Args:
        logits: (G, V), any float dtype; -inf is a token that is never drawn.
        uniforms: G numbers in [0, 1).
    """
    exact = logits.double()
    top = exact.amax(-1, keepdim=True)
    if not torch.isfinite(top).all():
        raise SubmissionError("diverged: the model's logits are not finite numbers")
    weights = (exact - top).exp()
    blocks = torch.nn.functional.pad(weights, (0, -weights.shape[1] % BLOCK)).view(len(weights), -1, BLOCK)
    sums = blocks.sum(-1).cpu()
    return [_invert(sums[row], blocks[row], u) for row, u in enumerate(uniforms)]


def _invert(sums: torch.Tensor, blocks: torch.Tensor, u: float) -> int:
    ends = sums.cumsum(0)
    target = u * float(ends[-1])
    block = _first_above(ends, target)
    before = float(ends[block - 1]) if block else 0.0
    return block * BLOCK + _first_above(blocks[block].cpu().cumsum(0), target - before)


def _first_above(sums: torch.Tensor, target: float) -> int:
    """Where the running sum first exceeds the target; rounding past the end gives the last place that adds anything."""
    place = int(torch.searchsorted(sums, target, right=True))
    return min(place, int(torch.searchsorted(sums, float(sums[-1]))))


def draw(
    model: Any, prompt: Sequence[int], seed: str, prompt_sha256: str, count: int, most_tokens: int, ends: frozenset[int]
) -> Drawn:
    """`count` completions of at most `most_tokens` tokens each. Raises SubmissionError for a model that diverged."""
    with torch.inference_mode():
        read = model(input_ids=torch.tensor([prompt], device=model.device), use_cache=True)
        logits, cache = read.logits[0], read.past_key_values
        cache.batch_repeat_interleave(count)
        written: list[list[int]] = [[] for _ in range(count)]
        finished, latest = [False] * count, logits[-1:].expand(count, -1)
        for place in range(most_tokens):
            tokens = choose(latest, [uniform(seed, prompt_sha256, each, place) for each in range(count)])
            for row, token in enumerate(tokens):
                finished[row] |= token in ends
                if not finished[row]:
                    written[row].append(token)
            if all(finished) or place + 1 == most_tokens:
                break
            step = torch.tensor(tokens, device=model.device)[:, None]
            latest = model(input_ids=step, past_key_values=cache, use_cache=True).logits[:, -1]
    return Drawn(logits, tuple(map(tuple, written)))
