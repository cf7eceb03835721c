"""`god up`, `down`, `status`, `migrate`: the services of this machine."""

from typing import Annotated

import typer
from rich.console import Console

console = Console()


def up(
    schedules: Annotated[bool, typer.Option(help="Open tournaments and set weights by schedule, too.")] = False,
) -> None:
    """Start the embedded services that are not running, and bring them up to date."""
    from embedded.reporting import status as report
    from embedded.showing import LiveProgress, status_table
    from embedded.starting import up as start
    from embedded.state import this_state

    state = this_state()
    with LiveProgress(console) as progress:
        start(state, schedules, progress)
    console.print(status_table(report(state)), soft_wrap=True)
    console.print(f"In a shell of yours: set -a; . {state.services_env}; set +a", soft_wrap=True, highlight=False)


def down() -> None:
    """Stop the embedded services, and every flow run and sandbox below them. What they keep stays."""
    from embedded.state import this_state
    from embedded.stopping import down as stop

    console.print(f"stopped {stop(this_state())} processes", highlight=False)


def status() -> None:
    """Ask every service whether it is well. Exits 1 when one is not."""
    from embedded.reporting import status as report
    from embedded.showing import status_table
    from embedded.state import this_state

    reports = report(this_state())
    console.print(status_table(reports) if reports else "nothing was started here: `god up` does", soft_wrap=True)
    if not reports or not all(each.is_well for each in reports):
        raise typer.Exit(1)


def migrate() -> None:
    """Apply the migrations that the database lacks."""
    from core.errors import PrerequisiteError
    from gateways.postgres.migrate import migrate as apply
    from gateways.settings import load_settings

    dsn = load_settings().database.dsn.get_secret_value()
    if not dsn:
        raise PrerequisiteError("no database is set: start the services with `god up`, or set GOD_DATABASE__DSN")
    applied = apply(dsn)
    console.print("\n".join(applied) if applied else "nothing to do")
