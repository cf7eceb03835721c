"""Evaluations: one checkpoint measured on one challenge's hidden test set."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from core.artifacts import ArtifactRef
from core.challenge import ChallengeKind, DatasetType, InstructDataset
from core.errors import Fault
from core.ids import ChallengeId, EvaluationId, TrainingId
from core.training import Attempt, WorkStatus
from core.value import Frozen, Sha256

INSTRUCT = "instruct-nats-per-answer-token/1"
INSTRUCT_KL = "instruct-nats-plus-kl-per-answer-token/1"
CHAT = "chat-nats-per-answer-token/1"
DPO = "dpo-sigmoid-loss/1"
GRPO = "grpo-reward-minus-kl/1"
"""Names and versions of the measurements (docs/rules.md, chapter 5); a change of any detail is a new version."""
MOST_TOKENS = 4096
"""Of a row."""


def definition_of(kind: ChallengeKind, kl_coefficient: float | None = None) -> str:
    """Which measurement a challenge asks for. Raises ValueError for a kind that none is for."""
    definitions = {
        ChallengeKind.INSTRUCT: INSTRUCT if kl_coefficient is None else INSTRUCT_KL,
        ChallengeKind.CHAT: CHAT,
        ChallengeKind.DPO: DPO,
        ChallengeKind.GRPO: GRPO,
    }
    if kind not in definitions:
        raise ValueError(f"challenges of kind {kind} have no measurement here")
    return definitions[kind]


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
    weight: Annotated[int, Field(gt=0)]
    """What the value is a mean over: answer tokens (instruct, chat), preference pairs (DPO), prompts (GRPO)."""
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
    """One test row; the value of a test set is the sum of its rows' totals over the sum of their weights."""

    row_id: Annotated[int, Field(ge=0)]
    """Position in the test set."""
    row_sha256: Sha256
    """Of the row's canonical JSON."""
    total: float
    """Instruct and chat: nats over the answer tokens; DPO: the pair's loss; GRPO: the prompt's score."""
    weight: Annotated[int, Field(ge=0)]
    """Answer tokens; 1 for a pair or a prompt."""
    parts: dict[str, float] = {}
    """What the total is made of, by name, where the definition says so."""


class EvaluationSpec(Frozen):
    """`/job/spec.json`: everything that the measurement depends on. Paths are inside the container."""

    evaluation_id: str
    definition: str = INSTRUCT
    kind: ChallengeKind
    base_model: str = "/job/inputs/base"
    checkpoint: str = "/job/inputs/checkpoint"
    test: str = "/job/inputs/test.json"
    outputs: str = "/job/outputs"
    dataset_type: DatasetType = InstructDataset()
    kl_coefficient: Annotated[float, Field(gt=0)] | None = None
    seed: str = ""
    """Hex, of the challenge: fixes the generations of GRPO, the same for every model."""
    max_tokens: Annotated[int, Field(gt=0)] = MOST_TOKENS
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
    counted_from: Annotated[int, Field(ge=1)] = 1
    """Number of the first attempt that counts, as a training's."""
    outcome: EvaluationOutcome | None = None
    report: ArtifactRef | None = None
    """Tree of `spec.json`, `report.json` and, when scored, `per_example.jsonl`."""
