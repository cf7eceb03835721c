"""Which reward functions judge a GRPO challenge, drawn from its seed."""

from collections.abc import Sequence
from hashlib import sha256

from core.challenge import RewardFunction

MOST_DRAWN = 5
WEIGHTS = (100, 10_000)
"""Before they are divided by their sum, in thousandths."""


def draw_reward_functions(library: Sequence[RewardFunction], seed: str) -> tuple[RewardFunction, ...]:
    """One to five functions, each number as likely, with weights of 0.1 to 10 divided by their sum.

    The order of the library does not matter. Raises ValueError for an empty one.
    """
    if not library:
        raise ValueError("there are no reward functions to draw from: add some")
    order = sorted(library, key=lambda function: _digest(seed, f"rewards:{function.func_hash}"))
    drawn = order[: 1 + int(_digest(seed, "rewards:count"), 16) % MOST_DRAWN]
    weights = [_weight(seed, function) for function in drawn]
    return tuple(
        function.model_copy(update={"reward_weight": weight / sum(weights)})
        for function, weight in zip(drawn, weights, strict=True)
    )


def _weight(seed: str, function: RewardFunction) -> int:
    least, most = WEIGHTS
    return least + int(_digest(seed, f"weight:{function.func_hash}"), 16) % (most - least + 1)


def _digest(seed: str, label: str) -> str:
    return sha256(f"{seed}:{label}".encode()).hexdigest()
