"""What a chain answers and takes; the local chain and the one in memory are alike in this."""

from collections.abc import Mapping

from core.chain import U16_MAX, Metagraph, WeightsReceipt
from core.errors import ChainRateLimitError


def check_is_there(block_number: int, present: int) -> None:
    """Raises ValueError for a block that is not there yet, and one that never was."""
    if not 0 <= block_number <= present:
        raise ValueError(f"block {block_number} is not there; the chain is at {present}")


def check_weights(weights: Mapping[int, int], metagraph: Metagraph) -> None:
    """Raises ValueError for a uid that nobody has and a weight that is no u16."""
    unknown = sorted(set(weights) - {neuron.uid for neuron in metagraph.neurons})
    if unknown:
        raise ValueError(f"nobody on subnet {metagraph.netuid} has the uids {unknown}")
    wrong = {uid: weight for uid, weight in weights.items() if not 0 <= weight <= U16_MAX}
    if wrong:
        raise ValueError(f"weights must be from 0 to {U16_MAX}, not {wrong}")


def check_rate_limit(last: WeightsReceipt | None, block_number: int, limit: int) -> None:
    """Raises ChainRateLimitError when fewer than `limit` blocks passed since the last setting."""
    left = limit - (block_number - last.block_number) if last else 0
    if left > 0:
        raise ChainRateLimitError(f"weights may be set again in {left} blocks", blocks_left=left)
