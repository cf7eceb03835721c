"""Challenges: what miners train on."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from core.artifacts import ArtifactRef
from core.ids import ChallengeId, GroupId, RoundId, TournamentId
from core.value import Frozen, Positive


class Direction(StrEnum):
    """Which way a measured value is better."""

    LOSS = "loss"
    """Lower is better; never negative."""
    SCORE = "score"
    """Higher is better; may be negative."""


class ChallengeKind(StrEnum):
    """The names are those of the training contract."""

    INSTRUCT = "InstructTextTask"
    CHAT = "ChatTask"
    DPO = "DpoTask"
    GRPO = "GrpoTask"
    IMAGE = "ImageTask"

    @property
    def direction(self) -> Direction:
        return Direction.SCORE if self is ChallengeKind.GRPO else Direction.LOSS


class ChallengeStatus(StrEnum):
    PLANNED = "planned"
    READY = "ready"
    FAILED = "failed"
    """It could not be prepared: ours, never a miner's."""


class InstructDataset(Frozen):
    """Column names of an instruct dataset and how its prompt is made; `--dataset-type` of the training contract."""

    field_instruction: str = "instruct"
    field_input: str | None = "input"
    field_output: str | None = "output"
    """None: the instruction itself is predicted, all of it, after nothing."""
    field_system: str | None = None
    format: str = "{instruction} {input}"
    no_input_format: str = "{instruction}"
    system_prompt: str = ""
    system_format: str = "{system}"


class ChatDataset(Frozen):
    """A column of conversations; the contract's names."""

    chat_template: str = "chatml"
    """`chatml`, or `base` for the base model's own template."""
    chat_column: str = "conversations"
    chat_role_field: str = "from"
    chat_content_field: str = "value"
    chat_user_reference: str = "user"
    chat_assistant_reference: str = "assistant"


class DpoDataset(Frozen):
    """Preference pairs: of two answers to a prompt, the chosen and the rejected one."""

    field_prompt: str = "prompt"
    field_system: str | None = None
    field_chosen: str = "chosen"
    field_rejected: str = "rejected"
    prompt_format: str = "{prompt}"
    chosen_format: str = "{chosen}"
    rejected_format: str = "{rejected}"


class RewardFunction(Frozen):
    """A reward function's Python source, and how much it counts; the contract's names."""

    reward_id: str
    reward_func: str
    reward_weight: Annotated[float, Field(ge=0)]
    func_hash: str
    """SHA-256 of the source."""
    is_generic: bool = False
    is_manual: bool = True


class GrpoDataset(Frozen):
    """Prompts, the reward functions that judge the answers, and a column that they may read."""

    field_prompt: str = "prompt"
    reward_functions: tuple[RewardFunction, ...]
    extra_column: str | None = None


DatasetType = InstructDataset | ChatDataset | DpoDataset | GrpoDataset
"""How a challenge's rows are read; `--dataset-type` of the training contract. No two kinds share a field's name."""


class ModelInfo(Frozen):
    """A base model of the hub."""

    model_id: str
    revision: str
    parameters: Annotated[int, Field(gt=0)]


class DatasetInfo(Frozen):
    """A dataset of the hub, with the columns that its kind needs; or a mix of several."""

    dataset_id: str
    revision: str
    kind: ChallengeKind
    rows: Annotated[int, Field(gt=0)]
    columns: dict[str, str]
    """Our column name → theirs; a mix has none of its own."""
    dataset_type: DatasetType | None = None
    """How its rows are to be read, where not by the kind's defaults: formats, template, the fields of a message."""
    written_rewards: Annotated[int, Field(ge=0, le=16)] = 0
    """GRPO only: so many reward functions that a language model writes stand beside the others."""
    parts: tuple["DatasetInfo", ...] = ()
    """Of a mix: the datasets that it is made of, all of its kind."""


class Catalogue(Frozen):
    """What challenges can be made of, sorted by id so that a draw can be repeated."""

    models: tuple[ModelInfo, ...]
    datasets: tuple[DatasetInfo, ...]


class ChallengePlan(Frozen):
    """A challenge as it was drawn."""

    challenge_id: ChallengeId
    kind: ChallengeKind
    seed: str
    """Hex; fixes the test split and everything random in the preparation."""
    model: ModelInfo
    dataset: DatasetInfo
    training_seconds: Positive
    """The clock of one training, wall time from the container's start."""
    kl_coefficient: Annotated[float, Field(gt=0)] | None = None
    """Instruct only: what the KL to the base counts beside the loss, for each nat; None: it does not."""
    yarn_factor: Literal[2, 4, 8, 16, 32] | None = None
    """The base model's context is made so many times longer, by YaRN."""
    synthetic_rows: Annotated[int, Field(ge=0)] = 0
    """So many rows of train a language model is shown, and asked for another of the kind."""
    replacement: Annotated[int, Field(ge=0)] = 0
    """How often it was drawn anew because it could not be prepared."""


class ChallengeData(Frozen):
    """A challenge made ready: content-addressed, the same for everybody."""

    base_model: ArtifactRef
    train: ArtifactRef
    """A JSON list of rows."""
    test: ArtifactRef
    """A JSON list of rows; only ever mounted into evaluations."""
    train_rows: Annotated[int, Field(gt=0)]
    test_rows: Annotated[int, Field(gt=0)]
    source_rows: dict[str, int] = {}
    """Rows of each dataset as they came. With the synthetic ones: all in train or test or dropped."""
    dropped_rows: dict[str, int] = {}
    """Why rows of the source were left out, and how many."""
    dropped_examples: dict[str, str] = {}
    """For each of these reasons the first such row: `<dataset>, row <number, from 1>`."""
    dropped_messages: Annotated[int, Field(ge=0)] = 0
    """Messages without role or content, left out of conversations that stay."""
    synthetic_rows: Annotated[int, Field(ge=0)] = 0
    """Rows of train that a language model wrote after others of it."""
    synthetic_refused: Annotated[int, Field(ge=0)] = 0
    """Answers of it that were not taken: no row of the same columns, a repeat, or too near to a test row."""
    dataset_type: DatasetType = InstructDataset()


class Challenge(Frozen):
    plan: ChallengePlan
    tournament_id: TournamentId
    round_id: RoundId
    group_id: GroupId
    status: ChallengeStatus
    data: ChallengeData | None = None
    reason: str | None = None
    """Why it failed to prepare."""

    @property
    def challenge_id(self) -> ChallengeId:
        return self.plan.challenge_id
