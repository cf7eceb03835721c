"""What an evaluator hands back."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from core.errors import PrerequisiteError
from core.evaluation import ExampleResult, Reward

CheckpointForm = Literal["full", "lora"]


class Stages(dict[str, float]):
    """Seconds by stage."""

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self[name] = self.get(name, 0.0) + time.perf_counter() - began


@dataclass(frozen=True)
class Measurement:
    """Either every test row's result, or the reason why there is none."""

    form: CheckpointForm | None
    versions: dict[str, str]
    rows: tuple[ExampleResult, ...] = ()
    refusal: str | None = None
    rewards: tuple[Reward, ...] = ()
    kl: float = 0.0
    """GRPO: what the rows' totals are made of, averaged."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage, for people."""

    @property
    def summary(self) -> str:
        stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.stages.items())
        result = self.refusal or f"loss {corpus_loss(self.rows):.6f} on {len(self.rows)} rows"
        return f"{result} ({stages})"


def corpus_loss(rows: Sequence[ExampleResult]) -> float:
    """Nats per answer token: all rows' nats, exactly summed, over all rows' answer tokens.

    Raises:
        PrerequisiteError: no row has an answer token.
    """
    tokens = sum(row.weight for row in rows)
    if tokens == 0:
        raise PrerequisiteError("the test set has no answer token at all: prepare the challenge again")
    return math.fsum(row.total for row in rows) / tokens
