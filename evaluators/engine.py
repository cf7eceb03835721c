"""Reads samples with the live model, several at a time, and gives the same bytes however they are put together.

Samples are packed longest first into streams of a token budget. A lack of memory halves the budget, and what is left
is packed anew. On a CPU several streams are read at a time, each by kernels of one thread.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, fsum
from typing import TypeVar

import torch

from core.errors import PrerequisiteError
from evaluators.checkpoint import Fine
from evaluators.head import Head, token_nats, token_nats_and_kl
from evaluators.live import LiveModel
from evaluators.loading import Base
from evaluators.machine import Device, free, is_lack_of_memory
from evaluators.packing import Sample, groups, pack, stream_tokens

T = TypeVar("T")
Reader = Callable[[torch.Tensor, Sequence[int]], list[T]]
"""From the hidden states before all counted tokens of some samples, and the samples' numbers, to a result of each."""


@dataclass(frozen=True)
class Teacher:
    """The base's own last hidden states before the counted tokens of each sample, and its head."""

    hidden: list[torch.Tensor]
    head: Head


class Engine:
    def __init__(self, base: Base, device: Device) -> None:
        self._live, self._device, self._budget = LiveModel(base, device), device, device.budget
        self._pool = ThreadPoolExecutor(device.workers, "reader", torch.set_num_threads, (1,))

    @property
    def live(self) -> LiveModel:
        return self._live

    def load(self, fine: Fine) -> None:
        """Read as this fine-tune from now on. Raises SubmissionError."""
        self._live.weights.load(fine)

    def restore(self) -> None:
        """Read as the base from now on."""
        self._live.weights.restore()

    def nats(self, samples: Sequence[Sample]) -> list[tuple[float, ...]]:
        """For each sample, each sequence's sum over its counted tokens of -log p(token), in nats."""
        head = self._live.head

        def read(hidden: torch.Tensor, members: Sequence[int]) -> list[tuple[float, ...]]:
            values = token_nats(head, hidden, self._targets(samples, members))
            return _sums(samples, members, values)

        return self._run(samples, read)

    def nats_and_kl(self, samples: Sequence[Sample], teacher: Teacher) -> list[tuple[float, float]]:
        """For each sample of one sequence: its nats, and the sum of KL(base ‖ model) before its counted tokens."""
        head = self._live.head

        def read(hidden: torch.Tensor, members: Sequence[int]) -> list[tuple[float, float]]:
            base = torch.cat([teacher.hidden[member] for member in members]).to(hidden.device)
            nats, kl = token_nats_and_kl(head, hidden, self._targets(samples, members), teacher.head, base)
            sums = zip(_sums(samples, members, nats), _sums(samples, members, kl), strict=True)
            return [(fsum(one), fsum(other)) for one, other in sums]

        return self._run(samples, read)

    def teacher(self, samples: Sequence[Sample]) -> Teacher:
        """What the base has to say, to be kept while fine-tunes are read."""
        self.restore()

        def read(hidden: torch.Tensor, members: Sequence[int]) -> list[torch.Tensor]:
            return list(hidden.cpu().split([_counted(samples[member]) for member in members]))

        return Teacher(self._run(samples, read), self._live.head.detached())

    def _targets(self, samples: Sequence[Sample], members: Sequence[int]) -> torch.Tensor:
        targets = [target for member in members for sequence in samples[member] for target in sequence.targets]
        return torch.tensor(targets, dtype=torch.long, device=self._device.device)

    def _run(self, samples: Sequence[Sample], read: Reader[T]) -> list[T]:
        """A result of each sample, in order. Raises PrerequisiteError when memory is too small for one alone."""
        done: dict[int, T] = {}
        while left := [member for member in range(len(samples)) if member not in done]:
            together = list(groups(samples, left, self._tokens_together(samples, left)))
            futures = [self._pool.submit(self._read, samples, members, read) for members in together]
            if not self._collect(together, futures, done):
                self._lower(max(map(len, together)))
        return [done[member] for member in range(len(samples))]

    def _tokens_together(self, samples: Sequence[Sample], left: Sequence[int]) -> int:
        """At most the budget; fewer where that gives every worker as many streams as the others."""
        if not self._live.packed:
            return 1
        sizes = [stream_tokens(samples[member]) for member in left]
        rounds = ceil(sum(sizes) / (self._budget * self._device.workers))
        return min(self._budget, sum(sizes) // (rounds * self._device.workers) + max(sizes) // 2)

    def _read(self, samples: Sequence[Sample], members: Sequence[int], read: Reader[T]) -> list[T]:
        with torch.inference_mode():
            return read(self._hidden(samples, members), members)

    def _hidden(self, samples: Sequence[Sample], members: Sequence[int]) -> torch.Tensor:
        if self._live.packed:
            return self._live.hidden(pack(samples, members, self._device.tile))
        return torch.cat([self._live.hidden_alone(sequence) for member in members for sequence in samples[member]])

    def _collect(self, together: list[list[int]], futures: list[Future[list[T]]], done: dict[int, T]) -> bool:
        """Whether memory was enough; what was read before it was not is kept."""
        enough = True
        for members, future in zip(together, futures, strict=True):
            if future.cancelled():
                continue
            try:
                done |= zip(members, future.result(), strict=True)
            except (MemoryError, RuntimeError) as e:
                if not is_lack_of_memory(e):
                    raise
                enough = False
                for later in futures:
                    later.cancel()
        return enough

    def _lower(self, most_together: int) -> None:
        if most_together == 1:
            raise PrerequisiteError("memory is too small for the longest test row alone: use a larger machine")
        self._budget = max(1, self._budget // 2)
        free(self._device)


def _counted(sample: Sample) -> int:
    return sum(len(sequence.counted) for sequence in sample)


def _sums(samples: Sequence[Sample], members: Sequence[int], values: torch.Tensor) -> list[tuple[float, ...]]:
    """Exact sums of the values of each sequence's counted tokens, by member."""
    left = iter(values.tolist())
    return [tuple(fsum(next(left) for _ in sequence.counted) for sequence in samples[member]) for member in members]
