"""Money of coldkeys: what came in, what entries cost, what was given back."""

from collections.abc import Collection, Iterable, Sequence

from psycopg.rows import DictRow

from core.chain import Transfer
from core.errors import StaleStateError
from core.ids import Coldkey, TournamentId
from core.ledger import LedgerEntry
from gateways.postgres.database import Database, Transaction, read
from gateways.postgres.events import log
from gateways.postgres.queries import queries

_SQL = queries("ledger")
_OF = ("transfer_id", "block_number", "tournament_id", "hotkey")


class PostgresLedger:
    def __init__(self, database: Database) -> None:
        self._database = database

    def read_until(self, address: str) -> int:
        with self._database.transaction() as transaction:
            row = transaction.execute(_SQL["cursor"], {"address": address}).fetchone()
        return int(row["read_until"]) if row else -1

    def deposit(self, address: str, transfers: Sequence[Transfer], from_block: int, to_block: int) -> None:
        cursor = {"address": address, "to_block": to_block}
        with self._database.transaction() as transaction:
            _expect_no_gap(transaction, address, from_block)
            written = [transaction.execute(_SQL["deposit"], transfer.model_dump()).fetchone() for transfer in transfers]
            transaction.execute(_SQL["move_cursor"], cursor)
            _log(transaction, [row for row in written if row is not None])

    def balances(self, coldkeys: Collection[Coldkey] | None = None, at_block: int | None = None) -> dict[Coldkey, int]:
        values = {"coldkeys": None if coldkeys is None else list(coldkeys), "at_block": at_block}
        with self._database.transaction() as transaction:
            known = {row["coldkey"]: row["balance_rao"] for row in transaction.execute(_SQL["balances"], values)}
        return {coldkey: known.get(coldkey, 0) for coldkey in sorted(known if coldkeys is None else coldkeys)}

    def entries(self, coldkey: Coldkey | None = None) -> list[LedgerEntry]:
        with self._database.transaction() as transaction:
            return [read(LedgerEntry, row) for row in transaction.execute(_SQL["entries"], {"coldkey": coldkey})]


def charge(transaction: Transaction, tournament_id: TournamentId) -> None:
    """Take the tournament's fee for each accepted entry. Raises IntegrityError when one is not covered."""
    _log(transaction, transaction.execute(_SQL["charge"], {"tournament_id": tournament_id}).fetchall())


def refund(transaction: Transaction, tournament_id: TournamentId) -> None:
    """Give the tournament's fees back, each once."""
    _log(transaction, transaction.execute(_SQL["refund"], {"tournament_id": tournament_id}).fetchall())


def _expect_no_gap(transaction: Transaction, address: str, from_block: int) -> None:
    """Hold the cursor, and raise StaleStateError when blocks before this one were not read."""
    transaction.execute(_SQL["make_cursor"], {"address": address})
    row = transaction.execute(_SQL["lock_cursor"], {"address": address}).fetchone()
    assert row is not None
    if from_block > row["read_until"] + 1:
        until = row["read_until"]
        raise StaleStateError(f"transfers to {address} are read until block {until}: read on, not from {from_block}")


def _log(transaction: Transaction, written: Iterable[DictRow]) -> None:
    for row in written:
        of = {name: row[name] for name in _OF if row[name] is not None}
        log(transaction, f"coldkey:{row['coldkey']}", row["kind"], amount_rao=row["amount_rao"], **of)
