"""What the training and the evaluation flow share."""

from datetime import UTC, datetime

from core.artifacts import ArtifactRef
from core.compute import ContainerStatus, Ending
from core.errors import Fault, GodError
from core.training import AttemptEnd

GRACE_SECONDS = 1800.0
"""Beyond a run's own clock, for fetching, building and storing, before its slot is anybody's again."""


class PlatformFailure(GodError):
    """Our side failed too often at one piece of work; the flow run fails, the row keeps no outcome."""


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
