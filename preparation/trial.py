"""Reward functions that count only if they are sound: a dataset's own, and those that a language model wrote.

Functions of our library are under test and are taken as they are; a challenge that has no others needs no trial.
"""

import json
from collections.abc import Sequence

from core.challenge import ChallengeData, ChallengePlan, GrpoDataset, RewardFunction
from core.ids import trial_id
from core.rewards.contract import name_of
from core.rewards.drafting import sound
from core.rewards.library import is_ours
from core.rewards.validation import SAMPLE_ROWS, ValidationSpec, Verdict
from core.value import Frozen
from preparation.cleaning import Row
from preparation.rewards import beside

MOST_SHOWN = 300
"""Characters of a row in a reason."""


class Trial(Frozen):
    """A challenge made ready, but for reward functions that are still to be tried."""

    plan: ChallengePlan
    data: ChallengeData
    """All of its reward functions must be sound."""
    drafts: tuple[RewardFunction, ...] = ()
    """The first sound ones of these are added, as many as the dataset asks for."""
    sample: tuple[Row, ...] = ()
    """The first rows of train."""

    @property
    def trial_id(self) -> str:
        return trial_id(self.plan.challenge_id, self.plan.replacement)

    @property
    def described(self) -> GrpoDataset:
        assert isinstance(self.data.dataset_type, GrpoDataset)
        return self.data.dataset_type

    @property
    def functions(self) -> tuple[RewardFunction, ...]:
        """Those to be tried: the challenge's, then the drafts."""
        return (*_untested(self.described), *self.drafts)

    @property
    def spec(self) -> ValidationSpec:
        return ValidationSpec(dataset_type=self.described.model_copy(update={"reward_functions": self.functions}))


def trial_of(plan: ChallengePlan, data: ChallengeData, drafts: Sequence[RewardFunction]) -> Trial | None:
    """The trial that the challenge needs, still without rows; None where there is nothing to be tried."""
    if not isinstance(data.dataset_type, GrpoDataset):
        return None
    there = {function.func_hash for function in data.dataset_type.reward_functions}
    new = tuple(function for function in drafts if function.func_hash not in there)
    trial = Trial(plan=plan, data=data, drafts=new)
    return trial if trial.functions else None


def on_rows(trial: Trial, train: Sequence[Row]) -> Trial:
    return trial.model_copy(update={"sample": tuple(train[:SAMPLE_ROWS])})


def stopped(trial: Trial, verdicts: Sequence[Verdict], seconds: float) -> tuple[Verdict, ...]:
    """A verdict for each function of a trial that was stopped: the ones that had none were not done in time."""
    missing = trial.functions[len(verdicts) :]
    reason = f"timeout: not tried to its end in {seconds:g} s"
    return (*verdicts, *(Verdict(reward_id=f.reward_id, name=name_of(f.reward_func), reason=reason) for f in missing))


def concluded(trial: Trial, verdicts: Sequence[Verdict]) -> ChallengeData:
    """The challenge's data with the sound drafts in it.

    Args:
        verdicts: On `trial.functions`, in their order.

    Raises ValueError naming the first of the challenge's own functions that is not sound, with the row that shows it.
    """
    required = len(trial.functions) - len(trial.drafts)
    if unsound := next((verdict for verdict in verdicts[:required] if not verdict.is_sound), None):
        raise ValueError(
            f"dataset {trial.plan.dataset.dataset_id}: the reward function {unsound}{_shown(trial, unsound.row)}: "
            "correct it in the dataset's entry in the hub"
        )
    written = sound(trial.drafts, verdicts[required:], trial.plan.dataset.written_rewards)
    functions = beside(trial.described.reward_functions, written)
    described = trial.described.model_copy(update={"reward_functions": functions})
    return trial.data.model_copy(update={"dataset_type": described})


def _untested(described: GrpoDataset) -> tuple[RewardFunction, ...]:
    return tuple(function for function in described.reward_functions if not is_ours(function))


def _shown(trial: Trial, row: int | None) -> str:
    if row is None:
        return ""
    text = json.dumps(trial.sample[row], ensure_ascii=False, sort_keys=True)
    return f", which is {text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + ' …'}"
