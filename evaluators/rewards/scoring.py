"""What the reward functions of a challenge make of the completions of one prompt.

A function's values are cut to [0, 1]. A call that fails is asked again for each completion alone; a completion that
fails alone earns 0 by that function: it cost a miner nothing to make it, so it may gain nothing and stop nobody.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.challenge import GrpoDataset
from core.errors import PrerequisiteError
from core.rewards import contract
from evaluators.rewards.sandbox import Failure, Sandbox


@dataclass(frozen=True)
class Marks:
    """One function's marks for the completions of a prompt."""

    name: str
    share: float
    """Of the weights' sum."""
    values: tuple[float, ...]
    """Within [0, 1], one per completion."""
    failures: int = 0
    """Completions that it failed on."""

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)


class Judge:
    """Raises PrerequisiteError for functions that break the contract: preparation lets none of them pass."""

    def __init__(self, dataset: GrpoDataset, sandbox: Sandbox) -> None:
        try:
            shares, names = contract.shares(dataset.reward_functions), contract.names(dataset.reward_functions)
        except contract.ContractError as e:
            raise PrerequisiteError(f"{e}; prepare the challenge again") from e
        self._parts = list(zip(names, shares, dataset.reward_functions, strict=True))
        self._sandbox = sandbox

    def marks(self, completions: Sequence[str], prompt: str, extra: Any = None) -> tuple[Marks, ...]:
        """One for each function, in the challenge's order."""
        found = []
        for name, share, function in self._parts:
            result = self._sandbox.values(function, completions, prompt, extra)
            if isinstance(result, Failure):
                alone = [self._sandbox.values(function, [each], prompt, extra) for each in completions]
                failures = sum(isinstance(each, Failure) for each in alone)
                result = [0.0 if isinstance(each, Failure) else each[0] for each in alone]
            else:
                failures = 0
            found.append(Marks(name, share, tuple(min(max(value, 0.0), 1.0) for value in result), failures))
        return tuple(found)


def weighted(marks: Sequence[Marks]) -> tuple[float, ...]:
    """Each completion's reward: the sum of share × value over the functions, within [0, 1]."""
    columns = zip(*(mark.values for mark in marks), strict=True)
    return tuple(math.fsum(mark.share * value for mark, value in zip(marks, column, strict=True)) for column in columns)


def standard_error(rewards: Sequence[float]) -> float:
    """Of the mean of independent generations' rewards; 0 for a single one."""
    return statistics.stdev(rewards) / math.sqrt(len(rewards)) if len(rewards) > 1 else 0.0
