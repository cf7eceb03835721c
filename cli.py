"""`god`: the operator's commands. Each parses, calls one function and says what was done."""

from typing import Annotated

import typer
from rich.console import Console
from typer.core import TyperGroup

from core.errors import GodError

PREREQUISITE_EXIT = 2

console = Console()
errors = Console(stderr=True)


class OneLineErrors(TyperGroup):
    """Our own errors name the object and the remedy: they are shown in one line and exit 2, without a traceback."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except GodError as error:
            errors.print(f"god: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
            raise typer.Exit(PREREQUISITE_EXIT) from error


app = typer.Typer(cls=OneLineErrors, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def god() -> None:
    """Gradients on Demand: tournaments of training scripts. State lives in ./var, or where GOD_STATE says."""


@app.command()
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


@app.command()
def down() -> None:
    """Stop the embedded services, and every flow run and sandbox below them. What they keep stays."""
    from embedded.state import this_state
    from embedded.stopping import down as stop

    console.print(f"stopped {stop(this_state())} processes", highlight=False)


@app.command()
def status() -> None:
    """Ask every service whether it is well. Exits 1 when one is not."""
    from embedded.reporting import status as report
    from embedded.showing import status_table
    from embedded.state import this_state

    reports = report(this_state())
    console.print(status_table(reports) if reports else "nothing was started here: `god up` does", soft_wrap=True)
    if not reports or not all(each.is_well for each in reports):
        raise typer.Exit(1)


@app.command()
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


if __name__ == "__main__":
    app()
