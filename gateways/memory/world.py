"""The state that the in-memory stores share, in place of a database."""

import functools
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from core.challenge import Challenge
from core.compute import Slot
from core.errors import StaleStateError
from core.evaluation import Evaluation
from core.ids import ChallengeId, EvaluationId, Hotkey, RoundId, TournamentId, TrainingId
from core.ledger import LedgerEntry
from core.tournament import Entry, Round, RoundResult, TitleResult, Tournament, WeightSetting
from core.training import Training
from core.value import Frozen

Clock = Callable[[], datetime]


Value = TypeVar("Value", bound=Frozen)


def changed(value: Value, **changes: Any) -> Value:
    """A copy with these fields changed."""
    return value.model_copy(update=changes)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class TournamentRow:
    """A tournament and what only it owns."""

    tournament: Tournament
    entries: tuple[Entry, ...] = ()
    rounds: dict[RoundId, Round] = field(default_factory=dict)
    results: dict[RoundId, list[RoundResult]] = field(default_factory=dict)
    """Every revision, oldest first."""
    titles: list[TitleResult] = field(default_factory=list)
    """Every revision, oldest first."""
    disqualified: dict[Hotkey, str] = field(default_factory=dict)


@dataclass
class LeaseRow:
    owner: str
    holder: str
    token: int
    slots: tuple[Slot, ...]
    expires_at: datetime
    heartbeat_at: datetime


@dataclass
class World:
    """All rows, one lock and one clock. Rows are replaced whole; values in them are frozen."""

    clock: Clock = utc_now
    lock: threading.RLock = field(default_factory=threading.RLock)
    tournaments: dict[TournamentId, TournamentRow] = field(default_factory=dict)
    challenges: dict[ChallengeId, Challenge] = field(default_factory=dict)
    trainings: dict[TrainingId, Training] = field(default_factory=dict)
    evaluations: dict[EvaluationId, Evaluation] = field(default_factory=dict)
    work_tokens: dict[str, int] = field(default_factory=dict)
    """The newest fencing token that took a training or an evaluation."""
    weight_settings: dict[str, WeightSetting] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    read_until: dict[str, int] = field(default_factory=dict)
    """By collection address: the last block whose transfers are in the ledger."""
    slots: dict[str, Slot] = field(default_factory=dict)
    leases: dict[str, LeaseRow] = field(default_factory=dict)
    """By owner."""
    newest_token: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def log(self, subject: str, event: str, **details: Any) -> None:
        """Append an event; details are plain JSON values."""
        number = len(self.events) + 1
        row = {"event_id": number, "at": self.clock(), "subject": subject, "event": event, "details": details}
        self.events.append(row)

    def tournament(self, tournament_id: TournamentId) -> TournamentRow:
        row = self.tournaments.get(tournament_id)
        if row is None:
            raise StaleStateError(f"there is no tournament {tournament_id}")
        return row


class _HasWorld(Protocol):
    _world: World


Store = TypeVar("Store", bound=type[_HasWorld])


def transactional(store: Store) -> Store:
    """Class decorator: every public method holds the world's lock, as one transaction would."""
    for name, method in inspect.getmembers(store, inspect.isfunction):
        if not name.startswith("_"):
            setattr(store, name, _locked(method))
    return store


def _locked(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: _HasWorld, *args: Any, **kwargs: Any) -> Any:
        with self._world.lock:
            return method(self, *args, **kwargs)

    return call
