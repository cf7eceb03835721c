"""Which reward functions of a challenge are sound: each is tried on sample rows, twice, in the sandbox.

On every row a function judges two texts, the row's prompt and a fixed sentence, with the row's extra column. Refused by
name, with the first row that shows it: a text that breaks the contract; a crash; no answer in its time; no list, a
wrong length, something other than int and float (a bool is no number); a value that is not finite; other values for the
same row the second time. Values beyond [0, 1] are let pass and counted: they will be cut.
"""

from collections.abc import Sequence
from typing import Any

from core.challenge import GrpoDataset, RewardFunction
from core.rewards import contract
from core.rewards.validation import SAMPLE_ROWS, Verdict
from evaluators.rewards.sandbox import Failure, Sandbox

SENTENCE = "The quick brown fox jumps over the lazy dog, because 2 + 2 = 4."
EXTRA_COLUMN = "extra_data"

Row = dict[str, Any]


def validate(dataset: GrpoDataset, rows: Sequence[Row], sandbox: Sandbox) -> tuple[Verdict, ...]:
    """A verdict for each function, in the challenge's order; the first `SAMPLE_ROWS` rows are tried."""
    return tuple(verdict_on(function, dataset, rows, sandbox) for function in dataset.reward_functions)


def verdict_on(function: RewardFunction, dataset: GrpoDataset, rows: Sequence[Row], sandbox: Sandbox) -> Verdict:
    try:
        (name,) = contract.names([function])
    except contract.ContractError as e:
        return Verdict(reward_id=function.reward_id, name=function.reward_id, reason=f"contract: {e}")
    if dataset.extra_column is None and contract.requires(function.reward_func, EXTRA_COLUMN):
        return Verdict(
            reward_id=function.reward_id, name=name, reason="contract: it needs extra_data, which no column is"
        )
    cut = 0
    for number, row in enumerate(rows[:SAMPLE_ROWS]):
        outcome = _try(function, dataset, row, sandbox)
        if isinstance(outcome, Failure):
            return Verdict(reward_id=function.reward_id, name=name, reason=str(outcome), row=number)
        cut += sum(not 0 <= value <= 1 for value in outcome)
    return Verdict(reward_id=function.reward_id, name=name, values_cut=cut)


def _try(function: RewardFunction, dataset: GrpoDataset, row: Row, sandbox: Sandbox) -> list[float] | Failure:
    prompt, extra = prompt_of(row, dataset), extra_of(row, dataset)
    first = sandbox.values(function, [prompt, SENTENCE], prompt, extra)
    if isinstance(first, Failure):
        return first
    second = sandbox.values(function, [prompt, SENTENCE], prompt, extra)
    if first != second:
        return Failure("unsteady", f"it gave {first} and then {second} for the same row")
    return first


def prompt_of(row: Row, dataset: GrpoDataset) -> str:
    """The row's prompt; an absent one is empty."""
    value = row.get(dataset.field_prompt)
    return value if isinstance(value, str) else ""


def extra_of(row: Row, dataset: GrpoDataset) -> Any:
    """What functions get as `extra_data`: the column, which preparation may have renamed to that."""
    if dataset.extra_column is None:
        return None
    return row.get(dataset.extra_column, row.get(EXTRA_COLUMN))
