"""Evaluations: one checkpoint measured on one challenge's hidden test set."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from core.artifacts import ArtifactRef
from core.challenge import ChallengeKind, InstructDataset
from core.errors import Fault
from core.ids import ChallengeId, EvaluationId, TrainingId
from core.training import Attempt, WorkStatus
from core.value import Frozen, Sha256

DEFINITION = "instruct-nats-per-answer-token/1"
"""Name and version of the measurement; a change of any detail is a new version."""


class Reward(Frozen):
    """What one reward function gave, averaged over a test set's prompts."""

    name: str
    weight: float
    mean: float


class Scored(Frozen):
    """A number; the challenge's kind says which way it is better."""

    type: Literal["scored"] = "scored"
    value: float
    """A loss (instruct: cross-entropy, nats per answer token, over all answer tokens of the test set) or a score."""
    answer_tokens: Annotated[int, Field(gt=0)]
    rows: Annotated[int, Field(gt=0)]
    per_example_sha256: Sha256
    """Of `per_example.jsonl`, one `ExampleResult` a line in the test set's order."""
    rewards: tuple[Reward, ...] = ()
    """GRPO: what the value is made of, with `kl`."""
    kl: float = 0.0
    """KL(base ‖ model) on the prompts, nats per token."""


class Refused(Frozen):
    """No number: this is not a fine-tune of the base that can be measured."""

    type: Literal["refused"] = "refused"
    reason: str
    fault: Fault = Fault.MINER


EvaluationOutcome = Annotated[Scored | Refused, Field(discriminator="type")]


class ExampleResult(Frozen):
    """One test row."""

    row_id: Annotated[int, Field(ge=0)]
    """Position in the test set."""
    row_sha256: Sha256
    """Of the row's canonical JSON."""
    nats: Annotated[float, Field(ge=0)]
    """Sum over the answer tokens."""
    answer_tokens: Annotated[int, Field(ge=0)]


class EvaluationSpec(Frozen):
    """`/job/spec.json`: everything that the measurement depends on. Paths are inside the container."""

    evaluation_id: str
    definition: str = DEFINITION
    kind: ChallengeKind
    base_model: str = "/job/inputs/base"
    checkpoint: str = "/job/inputs/checkpoint"
    test: str = "/job/inputs/test.json"
    outputs: str = "/job/outputs"
    dataset_type: InstructDataset = InstructDataset()
    max_tokens: Annotated[int, Field(gt=0)] = 4096
    """Rows are cut to this length, or to the base's own positions when those are fewer."""
    base_sha256: Sha256
    checkpoint_sha256: Sha256
    test_sha256: Sha256


class EvaluationReport(Frozen):
    """`report.json` in the outputs, written last."""

    spec_sha256: Sha256
    """Of the canonical JSON of the spec that it answers."""
    outcome: EvaluationOutcome
    checkpoint_form: Literal["full", "lora"] | None = None
    versions: dict[str, str] = {}
    """Libraries and machine that measured: `torch`, `transformers`, `python`, `machine`, `threads`."""
    seconds: Annotated[float, Field(ge=0)] = 0.0


class EvaluationPurpose(StrEnum):
    TOURNAMENT = "tournament"
    REEVALUATION = "re-evaluation"


class Evaluation(Frozen):
    evaluation_id: EvaluationId
    challenge_id: ChallengeId
    training_id: TrainingId | None
    """None for a model that nobody submitted."""
    checkpoint: ArtifactRef
    purpose: EvaluationPurpose
    repeats: EvaluationId | None = None
    """The evaluation that this one measures again; it supersedes nothing by itself."""
    status: WorkStatus
    dispatches: int = 0
    dispatched_at: datetime | None = None
    recorded_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    outcome: EvaluationOutcome | None = None
    report: ArtifactRef | None = None
    """Tree of `spec.json`, `report.json` and, when scored, `per_example.jsonl`."""
