"""The short way: full fine-tuning on one device, with nothing between the clock and the weights."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from trainer import recipe
from trainer.clock import Clock
from trainer.model import agree, trainable
from trainer.objectives import Objective, cut_by_tokens
from trainer.pacer import Pacer
from trainer.rows import Row
from trainer.save import Keeper

Batches = Iterator[list[Any]]
POOL = 512  # rows that are encoded, and sorted by length, together


def epochs(rows: Sequence[Row], encode: Callable[[Sequence[Row]], list[Any]], tokens: int) -> Batches:
    """Batches without end: each epoch in a new order, items of like length together so that little is padding.

    Rows are encoded as they are needed, and once: a short clock sees few of them.
    """
    chance, order, items = random.Random(recipe.SEED), list(rows), []
    chance.shuffle(order)
    for start in range(0, len(order), POOL):
        fresh = encode(order[start : start + POOL])
        items += fresh
        yield from _batches(fresh, tokens, chance)
    if not items:
        raise SystemExit("no row of the training data has anything to learn")
    while True:
        chance.shuffle(items)
        for start in range(0, len(items), POOL):
            yield from _batches(items[start : start + POOL], tokens, chance)


def _batches(items: Sequence[Any], tokens: int, chance: random.Random) -> list[list[Any]]:
    batches = cut_by_tokens(sorted(items, key=lambda item: item.tokens), tokens)
    chance.shuffle(batches)
    return batches


def adamw(model: Any) -> torch.optim.Optimizer:
    weights = trainable(model)
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": recipe.WEIGHT_DECAY},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], betas=recipe.BETAS, fused=True)


def descend(objective: Objective, optimizer: torch.optim.Optimizer, batch: Sequence[Any], rate: float) -> float:
    """One step, left out where the gradient is not finite; the batch's mean loss before it."""
    units, total = objective.units(batch), 0.0
    for part in cut_by_tokens(batch, recipe.MICRO_TOKENS):
        loss = objective.loss(part) / units
        loss.backward()
        total += float(loss.detach())
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(weights, recipe.CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    if torch.isfinite(norm):
        optimizer.step()
    optimizer.zero_grad()
    return total


def measure_speed(objective: Objective, model: Any, batch: Sequence[Any]) -> float:
    """Tokens a second, forward and backward; the gradient is thrown away."""
    began = time.monotonic()
    objective.loss(batch).backward()
    model.zero_grad()
    return sum(item.tokens for item in batch) / agree(time.monotonic() - began)


def probe_rates(
    clock: Clock,
    keeper: Keeper,
    objective: Objective,
    model: Any,
    batches: Callable[[], Batches],
    validation: Sequence[Any],
    rate: float,
) -> float:
    """Try a few learning rates from the same start for a moment each; the one with the lowest held-out loss."""
    start = [weight.detach().clone() for weight in trainable(model)]
    seconds, losses = clock.left() * recipe.PROBE_SHARE, {}
    for tried in [rate * factor for factor in recipe.PROBE_FACTORS]:
        optimizer, began = adamw(model), time.monotonic()
        for step, batch in enumerate(batches(), start=1):
            descend(objective, optimizer, batch, tried * min(1.0, step / recipe.FIRST_CHECK_STEP))
            if not keeper.saves:
                keeper.offer(model)
            if agree(time.monotonic() - began) > seconds:
                break
        losses[tried] = objective.mean(validation)
        keeper.offer(model, losses[tried])
        for weight, kept in zip(trainable(model), start, strict=True):
            weight.data.copy_(kept)
    clock.say("held-out loss by learning rate: " + ", ".join(f"{r:.1e} {loss:.4f}" for r, loss in losses.items()))
    return min(losses, key=lambda tried: losses[tried] if math.isfinite(losses[tried]) else math.inf)


def train(objective: Objective, model: Any, pacer: Pacer, batches: Batches, rate: float) -> None:
    optimizer = adamw(model)
    for batch in batches:
        descend(objective, optimizer, batch, rate * pacer.rate_share)
        if pacer.after_step():
            return
