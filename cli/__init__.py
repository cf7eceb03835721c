"""`god`: the operator's and the auditor's commands. Each parses, calls one function and says what was done."""

import typer
from rich.console import Console
from typer.core import TyperGroup

from cli import audit, draw, ledger, services, simulate, tournaments
from core.errors import GodError

PREREQUISITE_EXIT = 2

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


for command in (
    services.up,
    services.down,
    services.status,
    services.migrate,
    audit.reevaluate,
    draw.draw,
    simulate.simulate,
):
    app.command()(command)
app.add_typer(tournaments.app, name="tournament")
app.add_typer(audit.weights_app, name="weights")
app.add_typer(ledger.app, name="ledger")
