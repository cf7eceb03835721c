"""What can go wrong, whose fault it is, and what the caller should do.

* GodError
  - TransientError       try the same call again later (the only kind that is retried)
    · NoCapacityError      no slot is free
    · UnreachableError     a system of ours does not answer
      · HostUnreachableError  nor does the host of a miner's repository
    · ChainUnreachableError, ChainRateLimitError
  - SubmissionError      the miner's fault: recorded as an outcome, the tournament goes on
  - StaleStateError      another run moved the row: reload and decide anew
    · LeaseHeldError       somebody else holds it and is alive
    · LeaseLostError       our lease was taken over: stop, write nothing
  - IntegrityError       stored bytes do not match their hash: never used, never retried
  - PrerequisiteError    our set-up is at fault: stop and say what to fix, no traceback
"""

from enum import StrEnum


class Fault(StrEnum):
    """Who answers for a failure."""

    MINER = "miner"
    PLATFORM = "platform"
    CHAIN = "chain"


class GodError(Exception):
    """Root of every error of ours. The message names the object and the remedy."""


class TransientError(GodError):
    """The same call may succeed later."""


class NoCapacityError(TransientError):
    """Every slot is taken."""


class UnreachableError(TransientError):
    """A system of ours (database, artifact store, engine) does not answer."""


class HostUnreachableError(UnreachableError):
    """The host of a miner's repository does not answer."""


class ChainUnreachableError(TransientError):
    """The chain does not answer."""


class ChainRateLimitError(TransientError):
    """The chain takes our weights again only later."""

    def __init__(self, message: str, blocks_left: int) -> None:
        super().__init__(message)
        self.blocks_left = blocks_left


class SubmissionError(GodError):
    """The miner's submission is at fault; `reason` is recorded and shown to the miner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StaleStateError(GodError):
    """The row is not in the state the caller believed."""


class LeaseHeldError(StaleStateError):
    """A living holder has the lease."""


class LeaseLostError(StaleStateError):
    """The lease has passed to another holder."""


class IntegrityError(GodError):
    """Bytes do not match the hash they were promised under."""


class PrerequisiteError(GodError):
    """Something that we need is missing or misconfigured; the message says what to do."""
