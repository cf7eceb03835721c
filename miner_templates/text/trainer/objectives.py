"""What the evaluation measures, as a loss to descend and as the number that checkpoints are chosen by."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softplus

from trainer import recipe
from trainer.model import Reference, agree, rank, world_size
from trainer.samples import Pair, Sample


class Head:
    """Logits of the scored tokens alone, where that gives the model's own."""

    def __init__(self, model: Any, sample: Sequence[Sample]) -> None:
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.device = next(model.parameters()).device
        self.lean = False
        with torch.no_grad():
            whole = self.nats(sample).sum()
            self.lean = True
            self.lean = bool(torch.isclose(whole, self.nats(sample).sum(), rtol=1e-2))

    def nats(self, batch: Sequence[Sample], model: Any = None) -> torch.Tensor:
        """Cross-entropy of each sample's scored tokens, summed; by another `model` of the same kind where given."""
        logits, targets, rows = self.logits(batch, model)
        nats = cross_entropy(logits, targets, reduction="none")
        return nats.new_zeros(len(batch)).index_add(0, rows, nats)

    def logits(self, batch: Sequence[Sample], model: Any = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For each scored token: float32 logits, the token, and which sample it is of."""
        ids, mask, labels = self._tensors(batch)
        scored = labels[:, 1:] != -100
        with torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext():
            logits = self._logits(self._plain(model), ids, mask, scored)
        return logits.float(), labels[:, 1:][scored], scored.nonzero()[:, 0]

    def _plain(self, model: Any) -> Any:
        model = self.model if model is None else model
        return model.get_base_model() if hasattr(model, "get_base_model") else model

    def _logits(self, model: Any, ids: torch.Tensor, mask: torch.Tensor, scored: torch.Tensor) -> torch.Tensor:
        if not self.lean:
            return model(input_ids=ids, attention_mask=mask).logits[:, :-1][scored]
        hidden = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        return model.get_output_embeddings()(hidden[:, :-1][scored])

    def _tensors(self, batch: Sequence[Sample]) -> list[torch.Tensor]:
        width = max(sample.tokens for sample in batch)
        columns = (
            ([sample.ids for sample in batch], 0),
            ([[1] * sample.tokens for sample in batch], 0),
            ([sample.labels for sample in batch], -100),
        )
        return [
            torch.tensor([part + [filler] * (width - len(part)) for part in parts], device=self.device)
            for parts, filler in columns
        ]


class Objective:
    """A loss over items, and its mean over `units`."""

    head: Head
    base_loss = math.inf
    """The base's own, where it is known without a look."""

    def loss(self, batch: Sequence[Any]) -> torch.Tensor:
        """Summed over the batch."""
        raise NotImplementedError

    def units(self, batch: Sequence[Any]) -> int:
        """What the evaluation divides by."""
        raise NotImplementedError

    def mean(self, items: Sequence[Any]) -> float:
        """The evaluation's number, shared out among all processes."""
        mine = sorted(items, key=lambda item: item.tokens)[rank() :: world_size()]
        self.head.model.eval()
        with torch.no_grad():
            total = sum(float(self.loss(batch)) for batch in cut_by_tokens(mine, recipe.MICRO_TOKENS))
        self.head.model.train()
        return agree(total, "SUM") / self.units(items)


class Likelihood(Objective):
    """Instruct and chat: nats per answer token, with the KL to the base where the challenge asks for it."""

    def __init__(self, head: Head, reference: Reference | None = None, kl_coefficient: float = 0.0) -> None:
        self.head, self.reference, self.kl_coefficient = head, reference, kl_coefficient

    def loss(self, batch: Sequence[Sample]) -> torch.Tensor:
        if self.reference is None:
            return self.head.nats(batch).sum()
        with self.reference.answers() as base:
            expected = self.head.logits(batch, base)[0]
        logits, targets, _ = self.head.logits(batch)
        return self.regularised(logits, targets, expected)

    def regularised(self, logits: torch.Tensor, targets: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
        """Nats + coefficient × KL(base ‖ model), summed; of (tokens, vocabulary), `expected` the base's logits."""
        ours, theirs = log_softmax(logits, dim=-1), log_softmax(expected, dim=-1)
        divergence = kl_div(ours, theirs, reduction="sum", log_target=True)
        return cross_entropy(logits, targets, reduction="sum") + self.kl_coefficient * divergence

    def units(self, batch: Sequence[Sample]) -> int:
        return sum(sample.scored for sample in batch)


class Preference(Objective):
    """DPO: -log sigmoid(β × how much more the model prefers the chosen answer than the base does), per pair."""

    base_loss = math.log(2)

    def __init__(self, head: Head, reference: Reference) -> None:
        self.head, self.reference = head, reference

    def loss(self, batch: Sequence[Pair]) -> torch.Tensor:
        self.compare(batch)
        known = torch.tensor([pair.reference for pair in batch], device=self.head.device)
        return softplus(-recipe.DPO_BETA * (self._margins(batch) - known)).sum()

    def compare(self, batch: Sequence[Pair]) -> None:
        """Ask the base about those pairs that it was not asked about before."""
        new = [pair for pair in batch if pair.reference is None]
        if not new:
            return
        with self.reference.answers() as base:
            for pair, margin in zip(new, self._margins(new, base).tolist(), strict=True):
                pair.reference = margin

    def _margins(self, batch: Sequence[Pair], model: Any = None) -> torch.Tensor:
        nats = self.head.nats([pair.chosen for pair in batch] + [pair.rejected for pair in batch], model)
        return nats[len(batch) :] - nats[: len(batch)]

    def units(self, batch: Sequence[Pair]) -> int:
        return len(batch)


def cut_by_tokens(items: Sequence[Any], tokens: int) -> list[list[Any]]:
    """Neighbours together, at most `tokens` with padding to the longest, at least one item."""
    batches: list[list[Any]] = []
    longest = 0
    for item in items:
        longest = max(longest, item.tokens)
        if not batches or longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            longest = item.tokens
        batches[-1].append(item)
    return batches
