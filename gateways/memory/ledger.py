"""Money of coldkeys, in memory."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from core.chain import Transfer
from core.errors import StaleStateError
from core.ids import Coldkey, Hotkey, TournamentId
from core.ledger import LedgerEntry, LedgerKind
from core.tournament import Entry, EntryStatus
from gateways.memory.world import TournamentRow, World, transactional


@transactional
class MemoryLedger:
    def __init__(self, world: World) -> None:
        self._world = world

    def read_until(self, address: str) -> int:
        return self._world.read_until.get(address, -1)

    def deposit(self, address: str, transfers: Sequence[Transfer], from_block: int, to_block: int) -> None:
        until = self.read_until(address)
        if from_block > until + 1:
            raise StaleStateError(
                f"transfers to {address} are read until block {until}: read on from there, not from {from_block}"
            )
        known = {entry.transfer_id for entry in self._world.ledger}
        for transfer in transfers:
            if transfer.transfer_id not in known:
                _append(
                    self._world,
                    LedgerKind.DEPOSIT,
                    transfer.sender,
                    transfer.amount_rao,
                    transfer_id=transfer.transfer_id,
                    block_number=transfer.block_number,
                )
        self._world.read_until[address] = max(until, to_block)

    def balances(self, coldkeys: Collection[Coldkey] | None = None, at_block: int | None = None) -> dict[Coldkey, int]:
        entries = self._world.ledger
        sums = balances(entry for entry in entries if at_block is None or (entry.block_number or 0) <= at_block)
        known = {entry.coldkey for entry in entries}
        return {coldkey: sums[coldkey] for coldkey in sorted(known if coldkeys is None else coldkeys)}

    def entries(self, coldkey: Coldkey | None = None) -> list[LedgerEntry]:
        return [entry for entry in self._world.ledger if coldkey in (None, entry.coldkey)]


def balances(entries: Iterable[LedgerEntry]) -> Counter[Coldkey]:
    sums: Counter[Coldkey] = Counter()
    for entry in entries:
        sums[entry.coldkey] += entry.amount_rao
    return sums


def charge(world: World, row: TournamentRow, entries: Sequence[Entry]) -> None:
    """Take the tournament's fee for each accepted entry: all of them, or none and StaleStateError is raised."""
    fee = int(row.tournament.rules.get("fee_rao", 0))
    accepted = [entry for entry in entries if entry.status is EntryStatus.ACCEPTED]
    left = balances(world.ledger)
    for entry in accepted if fee else ():
        left[entry.coldkey] -= fee
        if left[entry.coldkey] < 0:
            raise StaleStateError(
                f"the balance of coldkey {entry.coldkey}, {left[entry.coldkey] + fee} rao, does not cover the fee of "
                f"{fee} rao for {entry.hotkey}: judge the entries anew"
            )
    for entry in accepted if fee else ():
        paid_for = {"tournament_id": row.tournament.tournament_id, "hotkey": entry.hotkey}
        _append(world, LedgerKind.FEE, entry.coldkey, -fee, **paid_for)


def refund(world: World, tournament_id: TournamentId) -> None:
    """Give the tournament's fees back, each once."""
    mine = [entry for entry in world.ledger if entry.tournament_id == tournament_id]
    given_back: set[Hotkey | None] = {entry.hotkey for entry in mine if entry.kind is LedgerKind.REFUND}
    for fee in mine:
        if fee.kind is LedgerKind.FEE and fee.hotkey not in given_back:
            paid_for = {"tournament_id": tournament_id, "hotkey": fee.hotkey}
            _append(world, LedgerKind.REFUND, fee.coldkey, -fee.amount_rao, **paid_for)


def _append(world: World, kind: LedgerKind, coldkey: Coldkey, amount_rao: int, **of: Any) -> None:
    number = len(world.ledger) + 1
    entry = LedgerEntry(entry_id=number, at=world.clock(), coldkey=coldkey, kind=kind, amount_rao=amount_rao, **of)
    world.ledger.append(entry)
    world.log(f"coldkey:{coldkey}", kind.value, amount_rao=amount_rao, **of)
