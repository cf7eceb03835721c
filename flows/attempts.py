"""What the training and the evaluation flow share."""

from datetime import UTC, datetime

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from core.artifacts import ArtifactRef
from core.compute import ContainerStatus, Ending
from core.errors import Fault, GodError
from core.evaluation import EvaluationOutcome, Refused
from core.training import AttemptEnd, TrainingFailed, TrainingOutcome
from tasks.dispatch import PLATFORM_FAULT
from tasks.telling import tell_fault

GRACE_SECONDS = 1800.0
"""Beyond a run's own clock, for fetching, building and storing, before its slot is anybody's again."""


class PlatformFailure(GodError):
    """Our side failed too often at one piece of work; the flow run fails, the row keeps no outcome."""


def ended(outcome: TrainingOutcome | EvaluationOutcome | None) -> State[None]:
    """The flow run's last state: a miner's failure is a result of ours, named and tagged as what it is."""
    match outcome:
        case TrainingFailed(reason=reason, fault=fault) | Refused(reason=reason, fault=fault):
            tell_fault(fault)
            return Completed(name=f"{fault.title()}Fault", message=reason)
        case _:
            return Completed()


def gave_up(failure: PlatformFailure) -> State[None]:
    tell_fault(Fault.PLATFORM)
    return Failed(name=PLATFORM_FAULT, message=str(failure))


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
