"""Trainings: one contestant's script on one challenge, and its attempts."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from core.artifacts import ArtifactRef
from core.compute import Ending
from core.errors import Fault
from core.ids import ChallengeId, Contestant, Hotkey, TrainingId
from core.value import CommitSha, Frozen


class WorkStatus(StrEnum):
    """Of a training or an evaluation."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


class Attempt(Frozen):
    """One container run for a training or an evaluation."""

    subject_id: str
    number: Annotated[int, Field(ge=1)]
    instance: str
    slot: str | None = None
    """Resource name of its first slot."""
    shared_run: str | None = None
    """Name of the container run of another evaluation, which measures this one as well."""
    begun_at: datetime
    """When the attempt was claimed."""
    started_at: datetime | None = None
    """When its container's entry point started."""
    ended_at: datetime | None = None
    ending: Ending | None = None
    exit_code: int | None = None
    fault: Fault | None = None
    detail: str = ""
    peak_memory_bytes: int | None = None
    log: ArtifactRef | None = None

    @property
    def run_name(self) -> str:
        """Name of its container run."""
        return self.shared_run or f"{self.subject_id}-a{self.number}"

    @property
    def run_owner(self) -> str:
        """The training or evaluation that its container run is named after, and that holds the slot."""
        return self.run_name.rpartition("-a")[0]


class AttemptEnd(Frozen):
    """How an attempt ended, as it is recorded."""

    started_at: datetime | None
    ended_at: datetime
    ending: Ending
    exit_code: int | None = None
    fault: Fault | None = None
    detail: str = ""
    peak_memory_bytes: int | None = None
    log: ArtifactRef | None = None


class Trained(Frozen):
    """There is a checkpoint; whether it is any good, the evaluation says."""

    type: Literal["trained"] = "trained"
    checkpoint: ArtifactRef


class TrainingFailed(Frozen):
    """There is none."""

    type: Literal["failed"] = "failed"
    reason: str
    fault: Fault


TrainingOutcome = Annotated[Trained | TrainingFailed, Field(discriminator="type")]


class Training(Frozen):
    training_id: TrainingId
    challenge_id: ChallengeId
    contestant: Contestant
    hotkey: Hotkey
    repository: str
    commit: CommitSha
    tree: ArtifactRef
    status: WorkStatus
    dispatches: int = 0
    """How often a flow run was sent for it."""
    dispatched_at: datetime | None = None
    """The newest of them."""
    recorded_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    counted_from: Annotated[int, Field(ge=1)] = 1
    """Number of the first attempt that counts; an operator's resume forgives those before it."""
    outcome: TrainingOutcome | None = None
