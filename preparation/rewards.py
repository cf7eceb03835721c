"""Which reward functions judge a GRPO challenge: its dataset's own, or some drawn from its seed."""

from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256

from core.challenge import RewardFunction
from core.rewards.contract import ContractError, names, requires, shares

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


def check_contract(functions: Sequence[RewardFunction], dataset_id: str, *, has_extra: bool) -> None:
    """Raises ValueError naming the dataset and what breaks the contract: text, hash, arguments, weights, number."""
    try:
        shares(functions)
        for function in functions:
            _check(function, has_extra)
    except ContractError as e:
        raise ValueError(f"dataset {dataset_id}: {e}: correct it in the dataset's entry in the hub") from e


def _check(function: RewardFunction, has_extra: bool) -> None:
    try:
        (name,) = names([function])
    except ContractError as e:
        raise ContractError(f"its reward function {function.reward_id} is none: {e}") from e
    if requires(function.reward_func, "extra_data") and not has_extra:
        raise ContractError(f"its reward function {name} needs extra_data, and no column is named that")


def beside(functions: Sequence[RewardFunction], written: Sequence[RewardFunction]) -> tuple[RewardFunction, ...]:
    """All of them; one that was written weighs as much as the others on average. Weights sum to 1 where some were."""
    if not written:
        return tuple(functions)
    given = [Fraction(function.reward_weight) for function in functions]
    weights = [*given, *[sum(given) / len(given)] * len(written)]
    return tuple(
        function.model_copy(update={"reward_weight": float(weight / sum(weights))})
        for function, weight in zip((*functions, *written), weights, strict=True)
    )


def _weight(seed: str, function: RewardFunction) -> int:
    least, most = WEIGHTS
    return least + int(_digest(seed, f"weight:{function.func_hash}"), 16) % (most - least + 1)


def _digest(seed: str, label: str) -> str:
    return sha256(f"{seed}:{label}".encode()).hexdigest()
