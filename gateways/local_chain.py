"""The local twin of the chain, in PostgreSQL: hotkeys, stakes, transfers, blocks, commitments and weights.

Every `block_seconds` there is one block more. Its hash is that of the hash before it and its number, starting from a
random seed, so nobody knows it early and nobody can change it later. Whenever somebody looks, the blocks since the
last look are computed, and the newest of them is kept along with every `KEPT_BLOCKS`-th; the others follow from these.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from core.chain import Commitment, Metagraph, Neuron, Transfer, WeightsReceipt
from core.errors import ChainUnreachableError, UnreachableError
from core.ids import Coldkey, Hotkey
from core.value import sha256_hex
from gateways.chain_rules import check_is_there, check_rate_limit, check_weights
from gateways.postgres.database import Database, Transaction
from gateways.postgres.queries import queries
from gateways.settings import ChainSettings

KEPT_BLOCKS = 1000
"""At most this many hashes are computed to find one in the past."""
_SQL = queries("local_chain")


@dataclass(frozen=True)
class Block:
    block_number: int
    hash: str
    produced_at: datetime

    def next(self, seconds: float) -> "Block":
        """The block `seconds` later."""
        number = self.block_number + 1
        return Block(
            number, sha256_hex(f"{self.hash}/{number}".encode()), self.produced_at + timedelta(seconds=seconds)
        )


def utc_now() -> datetime:
    return datetime.now(UTC)


class LocalChain:
    """Keeps `core.ports.Chain`; `register`, `commit` and `transfer` are what miners do on a real chain."""

    def __init__(self, database: Database, settings: ChainSettings, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def register(self, hotkey: Hotkey, coldkey: Coldkey, stake_rao: int) -> int:
        """Register a hotkey on the subnet of the settings, or change its stake; return its uid."""
        values = {"netuid": self._settings.netuid, "hotkey": hotkey, "coldkey": coldkey, "stake_rao": stake_rao}
        with self._writing() as (transaction, block_number):
            row = transaction.execute(_SQL["register"], {**values, "block_number": block_number}).fetchone()
            assert row is not None
            return int(row["uid"])

    def commit(self, hotkey: Hotkey, payload: str) -> int:
        """Commit at the present block and return it. Raises ValueError when the hotkey is not registered."""
        with self._writing() as (transaction, block_number):
            values = {"netuid": self._settings.netuid, "hotkey": hotkey, "payload": payload}
            row = transaction.execute(_SQL["commit"], {**values, "block_number": block_number}).fetchone()
            if row is None:
                raise ValueError(f"{hotkey} is not registered on subnet {self._settings.netuid}")
            return block_number

    def transfer(self, sender: Coldkey, to: str, amount_rao: int) -> Transfer:
        """Transfer TAO; it stands in the next block, so that a block that is there never changes."""
        values = {"sender": sender, "receiver": to, "amount_rao": amount_rao}
        with self._writing() as (transaction, block_number):
            row = transaction.execute(_SQL["transfer"], {**values, "block_number": block_number + 1}).fetchone()
        assert row is not None
        return Transfer.model_validate(row)

    def block_number(self) -> int:
        with self._writing() as (_, block_number):
            return block_number

    def block_hash(self, block_number: int) -> str:
        with self._writing() as (transaction, present):
            check_is_there(block_number, present)
            block = _block(transaction, "nearest_block", block_number=block_number)
        assert block is not None
        while block.block_number < block_number:
            block = block.next(0)
        return block.hash

    def metagraph(self, netuid: int, at_block: int) -> Metagraph:
        with self._writing() as (transaction, present):
            check_is_there(at_block, present)
            return _metagraph(transaction, netuid, at_block)

    def commitments(self, netuid: int, at_block: int) -> list[Commitment]:
        with self._reading() as transaction:
            rows = transaction.execute(_SQL["commitments"], {"netuid": netuid, "at_block": at_block}).fetchall()
        return sorted((Commitment.model_validate(row) for row in rows), key=lambda commitment: commitment.hotkey)

    def transfers(self, to: str, from_block: int, to_block: int) -> list[Transfer]:
        values = {"receiver": to, "from_block": from_block, "to_block": to_block}
        with self._writing() as (transaction, present):
            check_is_there(to_block, present)
            return [Transfer.model_validate(row) for row in transaction.execute(_SQL["transfers"], values)]

    def set_weights(self, netuid: int, weights: Mapping[int, int], version_key: int) -> WeightsReceipt:
        """Raises ValueError for a uid that nobody has and a weight that is no u16."""
        with self._writing() as (transaction, block_number):
            check_weights(weights, _metagraph(transaction, netuid, block_number))
            check_rate_limit(_newest_weights(transaction, netuid), block_number, self._settings.weights_rate_limit)
            receipt = WeightsReceipt(
                netuid=netuid, block_number=block_number, version_key=version_key, weights=dict(weights)
            )
            transaction.execute(_SQL["take_weights"], dict(receipt) | {"weights": Jsonb(receipt.weights)})
            return receipt

    def weights(self, netuid: int) -> WeightsReceipt | None:
        with self._reading() as transaction:
            return _newest_weights(transaction, netuid)

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        try:
            with self._database.transaction() as transaction:
                yield transaction
        except UnreachableError as e:
            raise ChainUnreachableError(f"the local chain does not answer: {e}") from e

    @contextmanager
    def _writing(self) -> Iterator[tuple[Transaction, int]]:
        """A transaction that is alone on the chain, and the present block's number."""
        with self._reading() as transaction:
            yield transaction, self._grow(transaction)

    def _grow(self, transaction: Transaction) -> int:
        """Produce the blocks that are due; return the newest one's number."""
        tip = self._tip(transaction)
        due = int((self._clock() - tip.produced_at).total_seconds() / self._settings.block_seconds)
        if due <= 0:
            return tip.block_number
        _keep(transaction, list(_kept(tip, due, self._settings.block_seconds)))
        return tip.block_number + due

    def _tip(self, transaction: Transaction) -> Block:
        """The newest block that was produced; the first caller ever makes the genesis."""
        now = self._clock()
        transaction.execute(_SQL["begin_chain"], {"started_at": now, "seed": secrets.token_hex(32)})
        genesis = transaction.execute(_SQL["lock_chain"]).fetchone()
        assert genesis is not None
        tip = _block(transaction, "newest_block")
        if tip is None:
            tip = Block(0, sha256_hex(genesis["seed"].encode()), genesis["started_at"])
            _keep(transaction, [tip])
        return tip


def _kept(tip: Block, due: int, seconds: float) -> Iterator[Block]:
    """Of the `due` blocks after the tip, those that are kept."""
    block = tip
    for _ in range(due):
        block = block.next(seconds)
        if block.block_number % KEPT_BLOCKS == 0 or block.block_number == tip.block_number + due:
            yield block


def _keep(transaction: Transaction, blocks: list[Block]) -> None:
    columns = {
        "block_numbers": [block.block_number for block in blocks],
        "hashes": [block.hash for block in blocks],
        "produced_at": [block.produced_at for block in blocks],
    }
    transaction.execute(_SQL["keep_blocks"], columns)


def _block(transaction: Transaction, query: str, **values: int) -> Block | None:
    row = transaction.execute(_SQL[query], values).fetchone()
    return Block(**row) if row else None


def _metagraph(transaction: Transaction, netuid: int, block_number: int) -> Metagraph:
    rows = transaction.execute(_SQL["neurons"], {"netuid": netuid, "at_block": block_number}).fetchall()
    neurons = tuple(Neuron.model_validate(row) for row in rows)
    return Metagraph(netuid=netuid, block_number=block_number, neurons=neurons)


def _newest_weights(transaction: Transaction, netuid: int) -> WeightsReceipt | None:
    row = transaction.execute(_SQL["newest_weights"], {"netuid": netuid}).fetchone()
    return WeightsReceipt.model_validate(row) if row else None
