"""A language model whose arithmetic for one sequence is the same whatever stands beside it in the stream.

Matrix products run over tiles of a fixed number of tokens: one kernel of one shape, wherever a token stands.
Attention runs over each sequence alone, in memory of its own. All else is done token by token; whole tiles keep
vectorised loops free of remainders.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from evaluators.packing import Pack, Span

ATTENTION = "god-packed"
_CURRENT: ContextVar[Pack] = ContextVar("pack")
_HONOURED = frozenset({"position_ids", "position_embeddings", "cache_position", "use_cache", "is_causal"})
"""Arguments of attention that change nothing here."""


@contextmanager
def reading(pack: Pack) -> Iterator[None]:
    """What models read in this thread, within the block, is this pack."""
    token = _CURRENT.set(pack)
    try:
        yield
    finally:
        _CURRENT.reset(token)


class UnsupportedError(Exception):
    """The model's attention is none that can run sequence by sequence."""


def tile_linears(model: torch.nn.Module, tile: int) -> None:
    """Make every linear layer of the model run tile by tile."""
    for module in _linears(model):
        module.forward = partial(linear, weight=module.weight, bias=module.bias, tile=tile)


def untile_linears(model: torch.nn.Module) -> None:
    for module in _linears(model):
        vars(module).pop("forward", None)


def _linears(model: torch.nn.Module) -> Iterator[torch.nn.Linear]:
    return (module for module in model.modules() if type(module) is torch.nn.Linear)


def linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, tile: int) -> torch.Tensor:
    """Inputs of whole tiles, flattened to tokens, by the weight transposed, plus the bias."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    if len(rows) % tile:
        raise UnsupportedError(f"{len(rows)} rows are no whole tiles of {tile}")
    outputs = rows.new_empty(len(rows), len(weight))
    for at in range(0, len(rows), tile):
        product(rows[at : at + tile], weight, bias, outputs[at : at + tile])
    return outputs.view(*inputs.shape[:-1], len(weight))


def product(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, out: torch.Tensor) -> None:
    if bias is None:
        torch.mm(rows, weight.t(), out=out)
    else:
        torch.addmm(bias, rows, weight.t(), out=out)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function: (1, heads, tokens, size) in, (1, tokens, heads, size) out."""
    strange = [name for name, given in others.items() if given is not None and name not in _HONOURED]
    if strange or dropout or attention_mask is not None or not getattr(module, "is_causal", True):
        raise UnsupportedError(f"attention with {strange or 'a mask, dropout or eyes for what follows'}")
    outputs = value.new_zeros(1, query.shape[2], query.shape[1], value.shape[3])
    for span in _CURRENT.get().spans:
        outputs[:, span.begin : span.end] = _attend(span, query, key, value, scaling, sliding_window)
    return outputs, None


def _attend(
    span: Span, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, window: int | None
) -> torch.Tensor:
    asks, keys, values = _own(span, query), _seen(span, key), _seen(span, value)
    mask = _mask(asks.shape[2], keys.shape[2], window, asks.device)
    attended = scaled_dot_product_attention(
        asks, keys, values, mask, is_causal=mask is None, scale=scaling, enable_gqa=asks.shape[1] != keys.shape[1]
    )
    return attended.transpose(1, 2)


def _own(span: Span, tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:, :, span.begin : span.end].clone(memory_format=torch.contiguous_format)


def _seen(span: Span, tensor: torch.Tensor) -> torch.Tensor:
    if span.stem is None:
        return _own(span, tensor)
    begin, end = span.stem
    return torch.cat([tensor[:, :, begin:end], tensor[:, :, span.begin : span.end]], dim=2)


def _mask(asking: int, seen: int, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Which tokens each token sees; None: all before it, and itself, from the first on."""
    if asking == seen and (window is None or seen <= window):
        return None
    now = torch.arange(seen - asking, seen, device=device)[:, None]
    then = torch.arange(seen, device=device)[None, :]
    sees = then <= now
    return sees if window is None else sees & (now - then < window)


AttentionInterface.register(ATTENTION, attention)
