"""The chain in memory; its blocks come by hand."""

import threading
from collections.abc import Mapping

from core.chain import Commitment, Metagraph, Neuron, Transfer, WeightsReceipt
from core.errors import ChainUnreachableError
from core.ids import Coldkey, Hotkey
from core.value import sha256_hex
from gateways.chain_rules import check_is_there, check_rate_limit, check_weights


class MemoryChain:
    """One subnet. `is_reachable = False` makes every call of the port raise ChainUnreachableError."""

    def __init__(self, netuid: int = 56, block_number: int = 100, weights_rate_limit: int = 100) -> None:
        self.is_reachable = True
        self.receipts: list[WeightsReceipt] = []
        self._netuid = netuid
        self._block_number = block_number
        self._weights_rate_limit = weights_rate_limit
        self._registrations: list[tuple[int, Neuron]] = []
        """From which block on; the newest of a hotkey holds."""
        self._commitments: list[Commitment] = []
        self._transfers: list[tuple[str, Transfer]] = []
        """To whom."""
        self._lock = threading.RLock()

    def advance(self, blocks: int = 1) -> int:
        """Let blocks pass; return the present one."""
        with self._lock:
            self._block_number += blocks
            return self._block_number

    def register(self, hotkey: Hotkey, coldkey: Coldkey, stake_rao: int) -> int:
        """Register a hotkey, or change its stake; return its uid."""
        with self._lock:
            known = self._neurons(self._block_number)
            uid = known[hotkey].uid if hotkey in known else len(known)
            neuron = Neuron(uid=uid, hotkey=hotkey, coldkey=coldkey, stake_rao=stake_rao)
            self._registrations.append((self._block_number, neuron))
            return uid

    def commit(self, hotkey: Hotkey, payload: str) -> int:
        """Commit at the present block and return it. Raises ValueError when the hotkey is not registered."""
        with self._lock:
            if hotkey not in self._neurons(self._block_number):
                raise ValueError(f"{hotkey} is not registered on subnet {self._netuid}")
            self._commitments.append(Commitment(hotkey=hotkey, payload=payload, block_number=self._block_number))
            return self._block_number

    def transfer(self, sender: Coldkey, to: str, amount_rao: int) -> Transfer:
        """Transfer TAO; it stands in the next block."""
        with self._lock:
            block = self._block_number + 1
            id_ = f"{block}-{len(self._transfers) + 1}"
            transfer = Transfer(transfer_id=id_, sender=sender, amount_rao=amount_rao, block_number=block)
            self._transfers.append((to, transfer))
            return transfer

    def block_number(self) -> int:
        self._reach()
        return self._block_number

    def block_hash(self, block_number: int) -> str:
        self._reach()
        check_is_there(block_number, self._block_number)
        return sha256_hex(f"block {block_number}".encode())

    def metagraph(self, netuid: int, at_block: int) -> Metagraph:
        self._reach()
        with self._lock:
            check_is_there(at_block, self._block_number)
            neurons = tuple(self._neurons(at_block).values()) if netuid == self._netuid else ()
            return Metagraph(netuid=netuid, block_number=at_block, neurons=neurons)

    def commitments(self, netuid: int, at_block: int) -> list[Commitment]:
        self._reach()
        with self._lock:
            known = [c for c in self._commitments if c.block_number <= at_block and netuid == self._netuid]
        newest = {commitment.hotkey: commitment for commitment in known}
        return sorted(newest.values(), key=lambda commitment: commitment.hotkey)

    def transfers(self, to: str, from_block: int, to_block: int) -> list[Transfer]:
        self._reach()
        with self._lock:
            check_is_there(to_block, self._block_number)
            return [t for receiver, t in self._transfers if receiver == to and from_block <= t.block_number <= to_block]

    def set_weights(self, netuid: int, weights: Mapping[int, int], version_key: int) -> WeightsReceipt:
        self._reach()
        with self._lock:
            check_weights(weights, self.metagraph(netuid, self._block_number))
            check_rate_limit(self.weights(netuid), self._block_number, self._weights_rate_limit)
            receipt = WeightsReceipt(
                netuid=netuid, block_number=self._block_number, version_key=version_key, weights=dict(weights)
            )
            self.receipts.append(receipt)
            return receipt

    def weights(self, netuid: int) -> WeightsReceipt | None:
        self._reach()
        return next((receipt for receipt in reversed(self.receipts) if receipt.netuid == netuid), None)

    def _neurons(self, at_block: int) -> dict[Hotkey, Neuron]:
        """In the order of their uids."""
        return {neuron.hotkey: neuron for block, neuron in self._registrations if block <= at_block}

    def _reach(self) -> None:
        if not self.is_reachable:
            raise ChainUnreachableError("the chain in memory was made unreachable")
