"""What the system needs from the outside: one Protocol per external system, as small as our need.

Each promise is kept by a gateway and by its in-memory twin (`gateways/memory.py`); both pass the same tests.
Every method may raise UnreachableError when its system does not answer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.artifacts import ArtifactKind, ArtifactRef
from core.chain import Commitment, Metagraph, Transfer, WeightsReceipt
from core.challenge import Catalogue, ChallengeData, ChallengePlan, ModelInfo
from core.compute import BuildFailure, ContainerSpec, ContainerStatus, Lease, Slot
from core.evaluation import Evaluation, EvaluationOutcome, EvaluationPurpose
from core.ids import ChallengeId, Coldkey, EvaluationId, Hotkey, TournamentId, TrainingId
from core.ledger import LedgerEntry
from core.tournament import (
    Entry,
    HaltCause,
    RoundPlan,
    RoundResult,
    TitleResult,
    Tournament,
    TournamentKind,
    TournamentState,
    WeightSetting,
)
from core.training import Attempt, AttemptEnd, Training, TrainingOutcome


class Tournaments(Protocol):
    """Tournaments with their entries, rounds, challenges and standings. Every change writes an event with it.

    Saying again what is already so is no error (a retried call whose answer was lost); anything else that does not
    fit the row raises StaleStateError.
    """

    def open(self, tournament: Tournament) -> Tournament:
        """Write a collecting tournament. When one of the kind is already open, that one is returned instead."""

    def load(self, tournament_id: TournamentId) -> TournamentState:
        """Raises StaleStateError when there is none."""

    def open_ids(self) -> list[TournamentId]:
        """Tournaments that are collecting, active or halted, oldest first."""

    def latest(self, kind: TournamentKind) -> Tournament | None:
        """The newest tournament of a kind, in whatever state, by number."""

    def finished(self, kind: TournamentKind) -> list[Tournament]:
        """All finished tournaments of a kind, newest finish first."""

    def record_entries(self, tournament_id: TournamentId, entries: Sequence[Entry], seed: str) -> None:
        """Freeze the judged entries and the closing block's hash, take the fees: collecting → active.

        Raises StaleStateError when a coldkey's balance no longer covers a fee: judge the entries anew.
        """

    def completed_entries(self) -> dict[Hotkey, int]:
        """In how many finished tournaments, of any kind, each hotkey had an accepted entry."""

    def record_round(self, tournament_id: TournamentId, plan: RoundPlan, after: RoundResult | None = None) -> None:
        """Write round, groups, planned challenges, and a queued training for each member of each challenge.

        Args:
            after: The last result that the draw goes by, when there is one; it must still be the last that counts.
        """

    def challenge_ready(self, challenge_id: ChallengeId, data: ChallengeData) -> None: ...

    def challenge_failed(self, challenge_id: ChallengeId, reason: str) -> None: ...

    def replan_challenge(self, challenge_id: ChallengeId, plan: ChallengePlan) -> None:
        """failed → planned, with a plan whose `replacement` is one higher."""

    def close_round(self, result: RoundResult) -> None:
        """Write standings, while active or halted: revision 1 closes the round, a later one supersedes the one before.

        When a later revision lets others through, the rounds after it are superseded, and what is open of their work
        ends without a result, by our fault.
        """

    def crown(self, tournament_id: TournamentId, title: TitleResult, after: RoundResult | None = None) -> None:
        """Write the title's outcome: active → finished. `after` as in `record_round`."""

    def revise_title(self, tournament_id: TournamentId, title: TitleResult, revision: int) -> None:
        """Write a finished tournament's title anew, as the revision after the newest; it stays finished since then."""

    def disqualify(self, tournament_id: TournamentId, hotkey: Hotkey, reason: str) -> None:
        """An accepted entrant's results count no longer, for good. While active, halted or finished."""

    def cancel(self, tournament_id: TournamentId, reason: str) -> None:
        """End it without a title; its fees go back."""

    def halt(self, tournament_id: TournamentId, cause: HaltCause, reason: str, decide_by_block: int) -> None:
        """active → halted: our side failed too often, and an operator has until that block to decide."""

    def resume(self, tournament_id: TournamentId, accept: bool = False) -> None:
        """halted → active.

        Args:
            accept: False: failed challenges are planned again, and what has no result in the playing round by our fault
                is done again; attempts and dispatches of all unfinished work are counted anew. True: nothing is tried
                again, the playing round's failures count as they are. Only a halt for FAILURES can be accepted.
        """


class Trainings(Protocol):
    """A training's life: queued → running (attempts) → done. `token` is the lease's fencing token."""

    def load(self, training_id: TrainingId) -> Training: ...

    def dispatched(self, training_id: TrainingId) -> int:
        """Count one more flow run sent for it; return the count (the first is 1)."""

    def begin(self, training_id: TrainingId, lease: Lease) -> Attempt:
        """Take it: go on with the attempt that has no end, or open the next one.

        Raises StaleStateError when it is done or a newer token was here.
        """

    def started(self, training_id: TrainingId, token: int, started_at: datetime) -> None:
        """The open attempt's container runs."""

    def end_attempt(self, training_id: TrainingId, token: int, end: AttemptEnd) -> None:
        """The open attempt is over and the training is not done: back to queued."""

    def record(self, training_id: TrainingId, token: int, end: AttemptEnd | None, outcome: TrainingOutcome) -> None:
        """End the open attempt (if there is one) and the training; queue an evaluation of the checkpoint, if any."""


class Evaluations(Protocol):
    """An evaluation's life, as a training's."""

    def load(self, evaluation_id: EvaluationId) -> Evaluation: ...

    def request(
        self,
        challenge_id: ChallengeId,
        checkpoint: ArtifactRef,
        purpose: EvaluationPurpose,
        training_id: TrainingId | None,
        repeats: EvaluationId | None,
        subject: str,
    ) -> Evaluation:
        """Queue a new evaluation `<subject>-e<next number>`."""

    def dispatched(self, evaluation_id: EvaluationId) -> int: ...

    def begin(self, evaluation_id: EvaluationId, lease: Lease, most: int = 1) -> list[Attempt]:
        """Take it, and with it up to `most` - 1 others of its challenge and purpose that wait, for one container run.

        Only those share a run that no counted attempt has failed. Goes on with the run that has no end, with exactly
        those in it. Returns the run's open attempts, its owner's last; raises as a training's does.
        """

    def started(self, evaluation_id: EvaluationId, token: int, started_at: datetime) -> None: ...

    def end_attempt(self, evaluation_id: EvaluationId, token: int, end: AttemptEnd) -> None: ...

    def record(
        self,
        evaluation_id: EvaluationId,
        token: int,
        end: AttemptEnd | None,
        outcome: EvaluationOutcome,
        report: ArtifactRef | None,
    ) -> None: ...


class Leases(Protocol):
    """Slots and other exclusive things, with owner, holder, expiry, heartbeat and a fencing token.

    A slot is free when nobody owns it or its expiry has passed. A stale holder (no heartbeat for `stale_seconds`)
    loses the lease to another holder *for the same owner* only, so that the work of a killed flow run is taken up by
    its successor and never disturbed by a stranger.
    """

    def register_slots(self, slots: Sequence[Slot]) -> None:
        """Make known which slots there are; known ones stay as they are."""

    def acquire(self, owner: str, holder: str, slots: int, seconds: float, stale_seconds: float) -> Lease:
        """Lease `slots` slots of one instance (0: only exclude others) for at most `seconds`.

        The owner's own slots come back under a new token when the holder is stale or the same.
        Raises NoCapacityError, or LeaseHeldError when another holder for this owner is alive.
        """

    def heartbeat(self, lease: Lease) -> None:
        """Raises LeaseLostError when a newer token was issued or the lease is gone."""

    def release(self, lease: Lease) -> None:
        """An unknown, ended or lost lease is not an error."""

    def live_owners(self, stale_seconds: float) -> set[str]:
        """Owners with a lease whose holder is alive."""

    def stale(self, stale_seconds: float) -> list[Lease]:
        """Unexpired leases whose holder is not alive, by owner."""


class Weights(Protocol):
    """Weight settings, each derived from one piece of evidence."""

    def plan(self, setting: WeightSetting) -> WeightSetting:
        """Write it, or return the one already there for the same evidence."""

    def confirm(self, setting_id: str, receipt: WeightsReceipt) -> None:
        """The chain took it. A second confirmation is not an error and changes nothing."""

    def latest(self) -> WeightSetting | None: ...


class Events(Protocol):
    """The append-only record of every change, for people and auditors."""

    def since(self, event_id: int, limit: int = 1000) -> list[Mapping[str, Any]]:
        """Events after `event_id`, oldest first: event_id, at, subject, event, details."""


class Artifacts(Protocol):
    """Immutable bytes; every put is idempotent, every get is verified (IntegrityError)."""

    def put_bytes(self, kind: ArtifactKind, data: bytes) -> ArtifactRef: ...

    def put_file(self, kind: ArtifactKind, path: Path) -> ArtifactRef: ...

    def put_tree(self, kind: ArtifactKind, root: Path) -> ArtifactRef:
        """Store every regular file below `root`, manifest last. Links and special files raise ValueError."""

    def get_bytes(self, ref: ArtifactRef) -> bytes: ...

    def fetch(self, ref: ArtifactRef, into: Path) -> Path:
        """Bring a file or tree to `into/<sha256>`, whole or not at all, once; return that path. Read-only."""

    def exists(self, ref: ArtifactRef) -> bool: ...


class Compute(Protocol):
    """Sandboxed container runs on this machine: supervised apart from us, so that they outlive our death."""

    def slots(self) -> list[Slot]:
        """The slots of this machine."""

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        """Image of a repository's tree by its Dockerfile; the same tag is built once."""

    def trusted_image(self, name: str) -> str:
        """One of our own images (`evaluator-text`). Raises PrerequisiteError when it is not there."""

    def start(self, spec: ContainerSpec) -> None:
        """Start the run unless one of its name was ever started."""

    def status(self, name: str) -> ContainerStatus | None:
        """What is known of the run; None when it never was. A vanished supervisor is `Ending.LOST`."""

    def stop(self, name: str) -> None:
        """Stop it now; it ends as LOST. An unknown or ended run is not an error."""

    def remove(self, name: str) -> None:
        """Stop it and forget its output and log. An unknown run is not an error."""

    def names(self) -> list[str]:
        """Every run that was started and not removed."""


class Repositories(Protocol):
    def fetch(self, repository: str, commit: str, into: Path) -> None:
        """Write the commit's regular files below the empty folder `into`: no submodules, hooks, LFS or filters.

        Raises SubmissionError (bad link, no such commit, too large, links or submodules inside) or TransientError
        (host not reachable).
        """


class ModelHub(Protocol):
    """Where base models and datasets come from."""

    def catalogue(self) -> Catalogue: ...

    def fetch_model(self, model: ModelInfo, into: Path) -> Path:
        """Folder with config, tokenizer and safetensors of the model; no remote code."""

    def rows(self, dataset_id: str, revision: str) -> list[dict[str, Any]]:
        """All rows of a dataset, in its own order."""


class Writer(Protocol):
    """A language model that writes."""

    def write(self, system: str, user: str) -> str:
        """Its answer. Raises PrerequisiteError when it does not take our question or our key."""


class Ledger(Protocol):
    """Money of coldkeys, in RAO. Append-only; a balance is a sum, and never below 0.

    Fees are written by `Tournaments.record_entries` and given back by `Tournaments.cancel`.
    """

    def read_until(self, address: str) -> int:
        """The last block whose transfers to this address, and those of all before, are in the ledger; -1: none."""

    def deposit(self, address: str, transfers: Sequence[Transfer], from_block: int, to_block: int) -> None:
        """Enter the transfers of these blocks and that they are read; a known transfer is not entered again.

        Raises StaleStateError when a block before `from_block` was not read yet.
        """

    def balances(self, coldkeys: Collection[Coldkey] | None = None, at_block: int | None = None) -> dict[Coldkey, int]:
        """Of these coldkeys, or of all that the ledger knows.

        Args:
            at_block: Leave out what was transferred later; fees count all the same, so that it may be below 0.
        """

    def entries(self, coldkey: Coldkey | None = None) -> list[LedgerEntry]:
        """Of one coldkey or of all, oldest first."""


class Chain(Protocol):
    """The subnet on the chain. Raises ChainUnreachableError."""

    def block_number(self) -> int: ...

    def block_hash(self, block_number: int) -> str:
        """64 hex digits. Raises ValueError for a block that is not there yet."""

    def metagraph(self, netuid: int, at_block: int) -> Metagraph:
        """Who was registered at a block. Raises ValueError for a block that is not there yet."""

    def commitments(self, netuid: int, at_block: int) -> list[Commitment]:
        """Each hotkey's newest commitment not after `at_block`."""

    def transfers(self, to: str, from_block: int, to_block: int) -> list[Transfer]:
        """All transfers to an address in these blocks, both included, oldest first: every page, no gaps.

        Raises ValueError for a block that is not there yet: what a block holds is known only then.
        """

    def set_weights(self, netuid: int, weights: Mapping[int, int], version_key: int) -> WeightsReceipt:
        """Set uid → u16. Raises ChainRateLimitError with the blocks left to wait."""

    def weights(self, netuid: int) -> WeightsReceipt | None:
        """What the chain last took from us."""


@dataclass(frozen=True)
class Ports:
    """Everything outside, in one value; made in `gateways/wiring.py` and by tests."""

    tournaments: Tournaments
    trainings: Trainings
    evaluations: Evaluations
    leases: Leases
    weights: Weights
    ledger: Ledger
    events: Events
    artifacts: Artifacts
    compute: Compute
    repositories: Repositories
    hub: ModelHub
    chain: Chain
    writer: Writer | None = None
    """None: there is none, and what asks for its rows or reward functions cannot be prepared."""
