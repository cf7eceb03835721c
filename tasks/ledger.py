"""Money: bring the chain's transfers into the ledger, and say what coldkeys have."""

from collections.abc import Collection

from prefect import task

from core.ids import Coldkey
from gateways.wiring import ports, settings
from tasks.retrying import EFFECT


def collection_address() -> str:
    """Where fees are paid to; empty: nowhere."""
    return settings().chain.collection_address


@task(task_run_name="read-transfers-until-{block_number}", **EFFECT)
def read_transfers(block_number: int) -> None:
    """Enter every transfer to the collection address up to this block, from where the last reading ended."""
    address = collection_address()
    if not address:
        return
    first = ports().ledger.read_until(address) + 1
    if first <= block_number:
        transfers = ports().chain.transfers(address, first, block_number)
        ports().ledger.deposit(address, transfers, first, block_number)


@task(task_run_name="balances-at-{block_number}", **EFFECT)
def balances(coldkeys: Collection[Coldkey], block_number: int) -> dict[Coldkey, int]:
    """RAO; what was transferred after the block is left out."""
    return ports().ledger.balances(coldkeys, block_number)
