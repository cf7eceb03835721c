"""From what the engine reads to rows' results, one class for each definition. All sums are exact (`math.fsum`)."""

import math
from collections.abc import Sequence
from typing import Protocol

from core.errors import SubmissionError
from evaluators.engine import Engine, Teacher
from evaluators.packing import Sample

BETA = 0.1
"""DPO's: how sharply a preference is judged. Source: https://arxiv.org/abs/2305.18290, equation 7."""

Value = tuple[float, int, dict[str, float]]
"""A row's total, weight and parts."""


class Definition(Protocol):
    def learn(self, engine: Engine, samples: Sequence[Sample]) -> None:
        """Ask the base, once, for what every fine-tune is compared with."""

    def values(self, engine: Engine, samples: Sequence[Sample]) -> list[Value]:
        """The loaded fine-tune's value of each sample."""


class Likelihood:
    """Nats per answer token."""

    def learn(self, engine: Engine, samples: Sequence[Sample]) -> None: ...

    def values(self, engine: Engine, samples: Sequence[Sample]) -> list[Value]:
        sums = zip(engine.nats(samples), samples, strict=True)
        return [(nats, len(sequence.counted), {}) for (nats,), (sequence,) in sums]


class RegularisedLikelihood:
    """Nats per answer token, and the coefficient times KL(base ‖ model) at the same tokens."""

    def __init__(self, coefficient: float) -> None:
        self._coefficient = coefficient

    def learn(self, engine: Engine, samples: Sequence[Sample]) -> None:
        self._teacher: Teacher = engine.teacher(samples)

    def values(self, engine: Engine, samples: Sequence[Sample]) -> list[Value]:
        sums = zip(engine.nats_and_kl(samples, self._teacher), samples, strict=True)
        return [
            (nats + self._coefficient * kl, len(sequence.counted), {"nats": nats, "kl": kl})
            for (nats, kl), (sequence,) in sums
        ]


class Preference:
    """DPO's sigmoid loss of each pair, the base as reference."""

    def learn(self, engine: Engine, samples: Sequence[Sample]) -> None:
        engine.restore()
        self._reference = engine.nats(samples)

    def values(self, engine: Engine, samples: Sequence[Sample]) -> list[Value]:
        both = zip(engine.nats(samples), self._reference, strict=True)
        return [
            _pair(base_chosen - chosen, base_rejected - rejected)
            for (chosen, rejected), (base_chosen, base_rejected) in both
        ]


def _pair(chosen: float, rejected: float) -> Value:
    """Of log p(answer) - log p_base(answer) for both answers."""
    margin = chosen - rejected
    parts = {"chosen": chosen, "rejected": rejected, "margin": margin, "accurate": float(margin > 0)}
    return softplus(-BETA * margin), 1, parts


def softplus(x: float) -> float:
    """log(1 + eˣ)."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def require_finite(values: Sequence[Value], numbers: Sequence[int]) -> None:
    """Raises SubmissionError naming the first test row whose value is none."""
    for (total, _, parts), number in zip(values, numbers, strict=True):
        if not all(map(math.isfinite, (total, *parts.values()))):
            raise SubmissionError(f"diverged: the loss of test row {number} is not a finite number")
