"""`god ledger …`: what coldkeys paid in, what they were charged and what they got back."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.chain import RAO_PER_TAO
from core.ids import Coldkey
from core.ledger import LedgerEntry

app = typer.Typer(no_args_is_help=True, help="Money of coldkeys: deposits, fees and refunds.")
console = Console()


@app.command()
def show(coldkey: Annotated[str, typer.Argument(help="Only of this one; every coldkey when left out.")] = "") -> None:
    """Balances, and every movement that they are the sum of."""
    from gateways.wiring import ports, settings

    whose = Coldkey(coldkey) if coldkey else None
    ledger, address = ports().ledger, settings().chain.collection_address
    console.print(balances(ledger.balances([whose] if whose else None)), soft_wrap=True)
    console.print(movements(ledger.entries(whose)), soft_wrap=True)
    read = f"transfers to {address} are read until block {ledger.read_until(address)}"
    console.print(read if address else "no fees are taken: GOD_CHAIN__COLLECTION_ADDRESS is not set", highlight=False)


def balances(of: Mapping[Coldkey, int]) -> Table:
    table = Table("coldkey", "balance, TAO", title="Balances", title_justify="left")
    for coldkey, rao in of.items():
        table.add_row(coldkey, tao(rao))
    return table


def movements(entries: Sequence[LedgerEntry]) -> Table:
    table = Table("time, UTC", "coldkey", "", "TAO", "for", title="Movements", title_justify="left")
    for entry in entries:
        reason = f"transfer {entry.transfer_id}" if entry.transfer_id else f"{entry.tournament_id}, {entry.hotkey}"
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M}", entry.coldkey, entry.kind, tao(entry.amount_rao), reason)
    return table


def tao(rao: int) -> str:
    """Exact."""
    return f"{Decimal(rao) / RAO_PER_TAO:.9f}"
