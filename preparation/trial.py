"""What the evaluator has to find sound, in its container, before a challenge is ready.

* Reward functions: a dataset's own, and those that a language model wrote. Functions of our library are under test and
  are taken as they are.
* Rows that are rendered: by a chat template (with the base's own, and its tokenizer, they fail one by one), or by
  formats that the dataset describes. Plain columns are checked by `cleaning`.

Other challenges need no trial, and no start of a container.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from core.artifacts import ArtifactRef
from core.challenge import ChallengeData, ChallengeKind, ChallengePlan, GrpoDataset, RewardFunction
from core.ids import trial_id
from core.reading import ReadingReport, ReadingSpec
from core.rewards.contract import name_of
from core.rewards.drafting import sound
from core.rewards.library import is_ours
from core.rewards.validation import SAMPLE_ROWS, ValidationReport, ValidationSpec, Verdict
from core.value import Frozen, canonical_json
from preparation.cleaning import Row
from preparation.rewards import beside

SPEC = "/job/spec.json"
MOST_SHOWN = 300
"""Characters of a row in a reason."""
START_SECONDS = 120.0
FUNCTION_SECONDS = 120.0
"""For all calls of one function; a call has 20 s and what its programs take."""
ROW_SECONDS = 0.05
"""Ten times what one of 400 words takes with a long template, on a busy machine."""


class RewardsTrial(Frozen):
    """A challenge made ready, but for reward functions that are still to be tried."""

    type: Literal["rewards"] = "rewards"
    """The evaluator's command."""
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
    def seconds(self) -> float:
        return START_SECONDS + FUNCTION_SECONDS * len(self.functions)

    @property
    def spec(self) -> ValidationSpec:
        return ValidationSpec(dataset_type=self.described.model_copy(update={"reward_functions": self.functions}))

    @property
    def files(self) -> dict[str, bytes | ArtifactRef]:
        """What the job holds, by its path there."""
        return {SPEC: canonical_json(self.spec), self.spec.rows: canonical_json(self.sample)}

    def on_rows(self, train: Sequence[Row]) -> "RewardsTrial":
        return self.model_copy(update={"sample": tuple(train[:SAMPLE_ROWS])})

    def outcome(self, report: bytes | None, stopped_after: float | None) -> ChallengeData | str:
        """The challenge's data, or why it cannot be had; of `RowsTrial.outcome`'s arguments."""
        found = () if report is None else ValidationReport.model_validate_json(report).verdicts
        verdicts = found if stopped_after is None else stopped(self, found, stopped_after)
        if [verdict.reward_id for verdict in verdicts] != [function.reward_id for function in self.functions]:
            raise ValueError("it is not about the functions")
        return concluded(self, verdicts)


class RowsTrial(Frozen):
    """A challenge made ready, but for rows that are still to be read as measuring reads them."""

    type: Literal["rows"] = "rows"
    """The evaluator's command."""
    plan: ChallengePlan
    data: ChallengeData

    @property
    def trial_id(self) -> str:
        return trial_id(self.plan.challenge_id, self.plan.replacement)

    @property
    def seconds(self) -> float:
        return START_SECONDS + ROW_SECONDS * (self.data.test_rows + self.data.train_rows)

    @property
    def spec(self) -> ReadingSpec:
        return ReadingSpec(dataset_type=self.data.dataset_type)

    @property
    def files(self) -> dict[str, bytes | ArtifactRef]:
        """What the job holds, by its path there."""
        inputs = {self.spec.base_model: self.data.base_model, self.spec.test: self.data.test}
        return {SPEC: canonical_json(self.spec), **inputs, self.spec.train: self.data.train}

    def outcome(self, report: bytes | None, stopped_after: float | None) -> ChallengeData | str:
        """The challenge's data, or why it cannot be had.

        Args:
            report: `report.json`; None where there is none.
            stopped_after: Seconds after which the job's time was up; None when it came to its end.

        Raises ValueError when the report does not say.
        """
        what = f"dataset {self.plan.dataset.dataset_id} on model {self.plan.model.model_id}"
        if report is not None:
            problem = ReadingReport.model_validate_json(report).problem
            return self.data if problem is None else f"{what}: {problem}"
        if stopped_after is None:
            raise ValueError("there is none")
        return f"{what}: its rows were not read in {stopped_after:g} s: choose chatml, or a dataset of shorter rows"


Trial = Annotated[RewardsTrial | RowsTrial, Field(discriminator="type")]


def trial_of(plan: ChallengePlan, data: ChallengeData, drafts: Sequence[RewardFunction]) -> Trial | None:
    """The trial that the challenge needs, that of functions still without rows; None where nothing is to be tried."""
    if isinstance(data.dataset_type, GrpoDataset):
        there = {function.func_hash for function in data.dataset_type.reward_functions}
        new = tuple(function for function in drafts if function.func_hash not in there)
        trial = RewardsTrial(plan=plan, data=data, drafts=new)
        return trial if trial.functions else None
    is_rendered = plan.kind is ChallengeKind.CHAT or plan.dataset.dataset_type is not None
    return RowsTrial(plan=plan, data=data) if is_rendered else None


def stopped(trial: RewardsTrial, verdicts: Sequence[Verdict], seconds: float) -> tuple[Verdict, ...]:
    """A verdict for each function of a trial that was stopped: the ones that had none were not done in time."""
    missing = trial.functions[len(verdicts) :]
    reason = f"timeout: not tried to its end in {seconds:g} s"
    return (*verdicts, *(Verdict(reward_id=f.reward_id, name=name_of(f.reward_func), reason=reason) for f in missing))


def concluded(trial: RewardsTrial, verdicts: Sequence[Verdict]) -> ChallengeData | str:
    """The challenge's data with the sound drafts in it.

    Or the first of the challenge's own functions that is not sound, with the row that shows it.

    Args:
        verdicts: On `trial.functions`, in their order.
    """
    required = len(trial.functions) - len(trial.drafts)
    if unsound := next((verdict for verdict in verdicts[:required] if not verdict.is_sound), None):
        return (
            f"dataset {trial.plan.dataset.dataset_id}: the reward function {unsound}{_shown(trial, unsound.row)}: "
            "correct it in the dataset's entry in the hub"
        )
    written = sound(trial.drafts, verdicts[required:], trial.plan.dataset.written_rewards)
    functions = beside(trial.described.reward_functions, written)
    described = trial.described.model_copy(update={"reward_functions": functions})
    return trial.data.model_copy(update={"dataset_type": described})


def _untested(described: GrpoDataset) -> tuple[RewardFunction, ...]:
    return tuple(function for function in described.reward_functions if not is_ours(function))


def _shown(trial: RewardsTrial, row: int | None) -> str:
    if row is None:
        return ""
    text = json.dumps(trial.sample[row], ensure_ascii=False, sort_keys=True)
    return f", which is {text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + ' …'}"
