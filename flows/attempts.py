"""What the training and the evaluation flow share."""

from datetime import UTC, datetime

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from core.artifacts import ArtifactRef
from core.compute import ContainerStatus, Ending
from core.errors import Fault
from core.evaluation import Evaluation, EvaluationOutcome, Refused
from core.training import Attempt, AttemptEnd, Training, TrainingFailed, TrainingOutcome
from tasks.telling import tell_fault

GRACE_SECONDS = 1800.0
"""Beyond a run's own clock, for fetching, building and storing, before its slot is anybody's again."""


def ended(outcome: TrainingOutcome | EvaluationOutcome | None) -> State[None]:
    """The flow run's last state, named and tagged by whose failure it is: a miner's is a result, ours has failed."""
    match outcome:
        case TrainingFailed(reason=reason, fault=fault) | Refused(reason=reason, fault=fault):
            tell_fault(fault)
            state = Failed if fault is Fault.PLATFORM else Completed
            return state(name=f"{fault.title()}Fault", message=reason)
        case _:
            return Completed()


def earlier_attempts(work: Training | Evaluation, begun: Attempt) -> list[Attempt]:
    """The attempts before this one that count."""
    return [past for past in work.attempts if work.counted_from <= past.number < begun.number]


def given_up(reason: str) -> str:
    """Why there is no result by our fault, as it is recorded."""
    return f"our side failed too often: {reason}"


def attempt_end(status: ContainerStatus, fault: Fault | None, log: ArtifactRef | None) -> AttemptEnd:
    return AttemptEnd(
        started_at=status.started_at,
        ended_at=status.ended_at or datetime.now(UTC),
        ending=status.ending or Ending.LOST,
        exit_code=status.exit_code,
        fault=fault,
        detail=status.detail,
        peak_memory_bytes=status.peak_memory_bytes,
        log=log,
    )
