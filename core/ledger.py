"""Money of coldkeys: an append-only record, whose sum is the balance."""

from datetime import datetime
from enum import StrEnum

from core.ids import Coldkey, Hotkey, TournamentId
from core.value import Frozen


class LedgerKind(StrEnum):
    DEPOSIT = "deposit"
    """A transfer on the chain to the collection address."""
    FEE = "fee"
    """Of an accepted entry."""
    REFUND = "refund"
    """Of such a fee: the tournament was cancelled."""


class LedgerEntry(Frozen):
    """One movement of money."""

    entry_id: int
    at: datetime
    coldkey: Coldkey
    kind: LedgerKind
    amount_rao: int
    """Below 0 for a fee."""
    transfer_id: str | None = None
    """Of a deposit."""
    block_number: int | None = None
    """Of a deposit's transfer."""
    tournament_id: TournamentId | None = None
    """What a fee was paid for; a refund names the same."""
    hotkey: Hotkey | None = None
