"""Completions that anybody can draw again: the same prompt, model and seed give the same tokens, alone or in company.

A token is drawn by inverting the distribution function: the softmax of the logits (temperature 1, nothing cut off) is
summed in the order of token ids in float64, and the token is the first whose sum exceeds u × the whole. u has 53 bits
of SHA-256 over seed, prompt, number of the completion and place in it: no generator, hence no state and no order.

Every prompt is read once, alone. Its completions are written several at a time, as many as memory has room for; how
many changes no bit: the model is always shown `ROWS` rows, each completion in its own, some of them perhaps nobody's;
only the cache has no more than there are, and attention is done for each alone, in memory of its own.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from core.errors import SubmissionError
from evaluators.head import head_of

BLOCK = 512
"""Tokens whose weights are summed up at a time; the blocks' sums then find the token's block."""
ROWS = 8
"""The most completions that are written together."""
ATTENTION = "god-written"
_MANTISSA = 53
WRITING: ContextVar[range] = ContextVar("numbers")
"""Of the completions in sight."""


@dataclass(frozen=True)
class Drawn:
    """What a model makes of one prompt."""

    prompt_hidden: torch.Tensor
    """(T, hidden size): last hidden states of the prompt's tokens, each of which predicts what follows it."""
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
    return [_invert((row - most).exp(), u) for row, most, u in zip(exact, top, uniforms, strict=True)]


def _invert(weights: torch.Tensor, u: float) -> int:
    blocks = pad(weights, (0, -len(weights) % BLOCK)).view(-1, BLOCK)
    sums = blocks.sum(-1).cpu()
    ends = sums.cumsum(0)
    target = u * float(ends[-1])
    block = _first_above(ends, target)
    before = float(ends[block - 1]) if block else 0.0
    return block * BLOCK + _first_above(blocks[block].cpu().cumsum(0), target - before)


def _first_above(sums: torch.Tensor, target: float) -> int:
    """Where the running sum first exceeds the target; rounding past the end gives the last place that adds anything."""
    place = int(torch.searchsorted(sums, target, right=True))
    return min(place, int(torch.searchsorted(sums, float(sums[-1]))))


def prepare(model: Any) -> None:
    """Make a model write a completion the same way alone and in company. Raises ValueError when it cannot."""
    model.set_attn_implementation(ATTENTION)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' own, for one text after another; zeros for rows that are nobody's."""
    rows = range(1) if len(query) == 1 else WRITING.get()
    attended = query.new_zeros(len(query), query.shape[2], query.shape[1], value.shape[-1])
    for at, row in enumerate(rows):
        mask = None if attention_mask is None else attention_mask[row % len(attention_mask)][None]
        own = (each[None].clone(memory_format=torch.contiguous_format) for each in (query[row], key[at], value[at]))
        attended[row] = sdpa_attention_forward(module, *own, mask, **more)[0][0]
    return attended, None


def keep_rows(cache: Any, numbers: range) -> None:
    """From now on the cache takes these of the `ROWS` rows that a model is shown, and no other."""
    update, mine = cache.update, slice(numbers.start, numbers.stop)
    cache.update = lambda key, value, *more, **others: update(key[mine], value[mine], *more, **others)


def draw(
    model: Any,
    prompt: Sequence[int],
    seed: str,
    prompt_sha256: str,
    numbers: range,
    most_tokens: int,
    ends: frozenset[int],
) -> Drawn:
    """The completions of these numbers, of at most `most_tokens` tokens each; a number is less than `ROWS`.

    Raises SubmissionError for a model that diverged.
    """
    with torch.inference_mode():
        hidden, cache = read(model, prompt)
        cache.batch_repeat_interleave(len(numbers))
        keep_rows(cache, numbers)
        texts = [Text(ends) for _ in numbers]
        random = partial(uniform, seed, prompt_sha256)
        token = WRITING.set(numbers)
        try:
            _write(model, texts, hidden[-1:].expand(ROWS, -1), cache, random, numbers, most_tokens)
        finally:
            WRITING.reset(token)
    return Drawn(hidden, tuple(tuple(text.tokens) for text in texts))


def read(model: Any, prompt: Sequence[int]) -> tuple[torch.Tensor, Any]:
    """Last hidden states, (T, hidden size), and the cache to go on from."""
    states = model.base_model(input_ids=torch.tensor([prompt], device=model.device), use_cache=True)
    return states[0][0], states.past_key_values


def _write(
    model: Any,
    texts: list["Text"],
    latest: torch.Tensor,
    cache: Any,
    random: Callable[[int, int], float],
    numbers: range,
    most_tokens: int,
) -> None:
    head = head_of(model, ROWS)
    step = torch.zeros(ROWS, 1, dtype=torch.long, device=model.device)
    for place in range(most_tokens):
        logits = head.logits(latest)[numbers.start : numbers.stop]
        tokens = choose(logits, [random(number, place) for number in numbers])
        for text, written in zip(texts, tokens, strict=True):
            text.add(written)
        if all(text.ended for text in texts) or place + 1 == most_tokens:
            break
        step[numbers.start : numbers.stop, 0] = torch.tensor(tokens)
        latest = model.base_model(input_ids=step, past_key_values=cache, use_cache=True)[0][:, -1]


class Text:
    def __init__(self, ends: frozenset[int]) -> None:
        self.tokens: list[int] = []
        self.ended, self._ends = False, ends

    def add(self, token: int) -> None:
        self.ended |= token in self._ends
        if not self.ended:
            self.tokens.append(token)


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
