"""Chain facts and weights."""

import time
from collections.abc import Mapping

from prefect import task

from core.chain import Commitment, Metagraph, WeightsReceipt
from core.errors import ChainRateLimitError
from gateways.wiring import ports, settings
from tasks.retrying import EFFECT

BLOCK_POLL_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0


@task(**EFFECT)
def current_block() -> int:
    return ports().chain.block_number()


@task(task_run_name="await-block-{block_number}", **EFFECT)
def await_block(block_number: int) -> None:
    """Return when the block is there, or after a minute: the caller looks again."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while ports().chain.block_number() < block_number and time.monotonic() < deadline:
        time.sleep(BLOCK_POLL_SECONDS)


@task(task_run_name="hash-of-block-{block_number}", **EFFECT)
def block_hash(block_number: int) -> str:
    return ports().chain.block_hash(block_number)


@task(task_run_name="metagraph-{netuid}", **EFFECT)
def metagraph(netuid: int, at_block: int) -> Metagraph:
    return ports().chain.metagraph(netuid, at_block)


@task(task_run_name="commitments-{netuid}", **EFFECT)
def commitments(netuid: int, at_block: int) -> list[Commitment]:
    return ports().chain.commitments(netuid, at_block)


@task(task_run_name="set-weights-{netuid}", **EFFECT)
def put_weights(netuid: int, weights: Mapping[int, int]) -> WeightsReceipt:
    """Set them once: weights that the chain already has from us are not sent again."""
    chain, version = ports().chain, settings().chain.version_key
    while True:
        held = chain.weights(netuid)
        if held is not None and held.weights == dict(weights) and held.version_key == version:
            return held
        try:
            return chain.set_weights(netuid, weights, version)
        except ChainRateLimitError as limit:
            if limit.blocks_left * settings().chain.block_seconds > LONGEST_WAIT_SECONDS:
                raise
            await_block.fn(chain.block_number() + limit.blocks_left)


def subnet() -> tuple[int, str]:
    """Our netuid and its burn hotkey."""
    return settings().chain.netuid, settings().chain.burn_hotkey
