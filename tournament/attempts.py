"""What an attempt's end means: a checkpoint, a failure, or another try, and whose fault it was."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.artifacts import ArtifactRef
from core.compute import Ending
from core.errors import Fault
from core.training import Attempt, Trained, TrainingFailed, TrainingOutcome
from tournament.rules import TournamentRules

OURS = (Ending.LOST, Ending.REFUSED)


@dataclass(frozen=True)
class Again:
    """Try once more."""

    fault: Fault
    reason: str


@dataclass(frozen=True)
class GiveUp:
    """Our side failed too often: the operator decides, the miner is not charged."""

    reason: str


def fault_of(ending: Ending, has_output: bool, earlier: Sequence[Attempt]) -> Fault | None:
    """Who answers for an attempt's end; None for a good one.

    A SIGKILL of unknown origin is ours the first time; code that dies of it again did so itself.
    """
    if ending in OURS:
        return Fault.PLATFORM
    if ending is Ending.KILLED:
        return Fault.MINER if any(a.ending is Ending.KILLED for a in earlier) else Fault.PLATFORM
    if ending in (Ending.FINISHED, Ending.TIME_UP) and has_output:
        return None
    return Fault.MINER


def judge_training(
    ending: Ending,
    detail: str,
    checkpoint: ArtifactRef | None,
    objection: str | None,
    earlier: Sequence[Attempt],
    rules: TournamentRules,
) -> TrainingOutcome | Again | GiveUp:
    """The verdict on the attempt that just ended.

    Args:
        checkpoint: What it left, when that can be collected; what was saved before the clock stopped it counts.
        objection: Why its output cannot be collected, when there is some.
        earlier: The attempts before it, with their faults.
    """
    fault = fault_of(ending, checkpoint is not None, earlier)
    if fault is None and checkpoint is not None:
        return Trained(checkpoint=checkpoint)
    reason = failure_reason(ending, detail, objection)
    charged = 1 + sum(attempt.fault is fault for attempt in earlier)
    if fault is Fault.PLATFORM:
        return _our_turn(reason, charged, rules)
    return (
        Again(Fault.MINER, reason)
        if charged < rules.miner_attempts
        else TrainingFailed(reason=reason, fault=Fault.MINER)
    )


def judge_evaluation_attempt(
    ending: Ending, detail: str, earlier: Sequence[Attempt], rules: TournamentRules
) -> Again | GiveUp:
    """An evaluation without a report is our failure, whatever it died of."""
    return _our_turn(f"{ending}: {detail}", 1 + len(earlier), rules)


def _our_turn(reason: str, charged: int, rules: TournamentRules) -> Again | GiveUp:
    return Again(Fault.PLATFORM, reason) if charged < rules.platform_attempts else GiveUp(reason)


def failure_reason(ending: Ending, detail: str, objection: str | None) -> str:
    """One line for the miner."""
    if ending in (Ending.FINISHED, Ending.TIME_UP):
        return f"no output: {objection or 'it saved no checkpoint'}" + (" in time" if ending is Ending.TIME_UP else "")
    return f"{ending}: {detail}" if detail else str(ending)
