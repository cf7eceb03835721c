"""The challenge's clock, and what fits into it. The plan is pure arithmetic."""

import math
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from trainer import recipe

STARTED = "TRAIN_STARTED_AT"  # handed from this process to those that torchrun starts


def process_age() -> float:
    """Seconds since this process began, the interpreter's start included; 0 where /proc does not tell."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return age if 0 <= age < 600 else 0.0


class Clock:
    """Counted from the start of the process that the container started."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = float(os.environ.get(STARTED) or time.monotonic() - process_age())
        self.margin = min(max(seconds * recipe.MARGIN_SHARE, recipe.MARGIN_SECONDS[0]), recipe.MARGIN_SECONDS[1])
        self.terminated = False

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds that may still be spent: until the margin before the deadline; none after a SIGTERM."""
        return 0.0 if self.terminated else self.seconds - self.margin - self.elapsed()

    def listen(self) -> None:
        """From now on SIGTERM ends the training early, not the process."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "terminated", True))

    def say(self, words: str) -> None:
        if os.environ.get("RANK", "0") == "0":
            print(f"[{self.elapsed():7.1f} s of {self.seconds:.0f}] {words}", flush=True)


@dataclass(frozen=True)
class Plan:
    steps: int
    every: int
    """Steps between two checks."""


def plan(seconds: float, step_seconds: float, check_seconds: float, max_steps: int) -> Plan:
    """How many steps, and checks between them, fit into `seconds`; never more, and never fewer with more time."""
    for_checks = min(max(seconds * recipe.CHECK_SHARE, check_seconds), recipe.MAX_CHECKS * check_seconds)
    steps = max(0, min(max_steps, int((seconds - for_checks) / step_seconds)))
    return Plan(steps, max(1, math.ceil(steps / max(1, int(for_checks / check_seconds)))))


def rate_share(step: int, steps: int) -> float:
    """Learning rate of `step` (from 0) as a share of its peak: linear warm-up, then a cosine that ends at `steps`."""
    warmup = max(recipe.FIRST_CHECK_STEP, round(steps * recipe.WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return recipe.FINAL_RATE_SHARE + (1 - recipe.FINAL_RATE_SHARE) * (1 + math.cos(math.pi * done)) / 2


def by_size(parameters: float) -> float:
    """What a model's size makes of a learning rate."""
    return (recipe.REFERENCE_PARAMETERS / parameters) ** recipe.SIZE_EXPONENT


def peak_rate(parameters: float, lora: bool) -> float:
    return recipe.LORA_LEARNING_RATE if lora else recipe.LEARNING_RATE * by_size(parameters)


def batch_tokens(seconds: float, tokens_per_second: float) -> int:
    """Tokens of one step: small while steps are scarce."""
    wanted = seconds * tokens_per_second / recipe.TARGET_STEPS
    return int(min(max(wanted, recipe.MIN_BATCH_TOKENS), recipe.MAX_BATCH_TOKENS))


def affordable(lengths: Sequence[int], tokens: float, least: int = recipe.MIN_VALIDATION_ROWS) -> int:
    """How many of the first rows have no more than `tokens` together; `least` whatever they have."""
    fitting = sum(1 for total in accumulate(lengths) if total <= tokens)
    return min(len(lengths), max(least, fitting))


@dataclass(frozen=True)
class Method:
    """How a model of this size is trained on this machine in this time."""

    lora: bool
    """Low-rank adapters on all linear layers, else every weight."""
    long: bool
    """By TRL's trainers, else by the lean loop."""
    processes: int
    """One for each GPU, else 1."""
    sharded: bool
    """The layers of one model laid over all GPUs, in one process."""


def choose_method(
    seconds: float, parameters: float, memory_bytes: float, gpus: int, compares: bool = False, by_rewards: bool = False
) -> Method:
    """`memory_bytes`: of one device. Full: weights, gradients, two moments and an average in float32, 20 bytes each;
    four more where the training `compares` with a copy of the base. `by_rewards`: small adapters learn all there is."""
    long = seconds >= recipe.LONG_CLOCK_SECONDS
    lora = (by_rewards and long) or parameters * (24 if compares else 20) > 0.7 * memory_bytes
    sharded = gpus > 1 and parameters * 2 > 0.6 * memory_bytes
    long = long or lora
    return Method(lora, long, gpus if long and gpus > 1 and not sharded else 1, sharded)
