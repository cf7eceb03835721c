"""`god simulate`: whole seasons under a rule set, as a table, as JSON and as plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.errors import PrerequisiteError
from core.tournament import TournamentKind

if TYPE_CHECKING:
    from laboratory.noise import NoiseModel
    from laboratory.report import Interval, Report
    from laboratory.world import World
    from tournament.rules import TournamentRules

console = Console()
COMPARED = ("classic", "calibrated")


def simulate(
    rules: Annotated[list[str] | None, typer.Option(help="A rule set; give it again for more. Else both.")] = None,
    seasons: Annotated[int, typer.Option(min=1, help="Years, in each of the two scenarios.")] = 10_000,
    gain: Annotated[float, typer.Option(help="True relative gain of the best entrant over the champion.")] = 0.02,
    seed_noise: Annotated[float | None, typer.Option(min=0, help="S.d. of one training over seeds, nats.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")] = 1,
    entrants: Annotated[int, typer.Option(min=1)] = 16,
    tournaments: Annotated[int, typer.Option(min=1, max=365, help="A year.")] = 52,
    kind: Annotated[TournamentKind, typer.Option(help="Which programme the GPU hours are of.")] = TournamentKind.TEXT,
    noise: Annotated[Path | None, typer.Option(help="A noise model: the `noise` of an earlier --json.")] = None,
    recorded: Annotated[bool, typer.Option(help="Fit the noise model from the recorded tournaments.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line a rule set.")] = False,
    plots: Annotated[Path | None, typer.Option(help="Also draw the plots into this folder.")] = None,
) -> None:
    """Play seasons in a world of known skill and noise: false dethronings, power, who wins, GPU hours."""
    _need_packages()
    from laboratory.report import simulate as played
    from laboratory.world import World

    world = World(entrants=entrants, tournaments_per_year=tournaments)
    model = _noise_model(noise, recorded, seed_noise, kind, world)
    reports = [played(_rules(name, kind), world, model, gain, seasons, seed) for name in rules or COMPARED]
    if json:
        for report in reports:
            print(report.model_dump_json())
    else:
        console.print(comparison(reports))
        console.print(f"noise model: {model.source}", style="dim")
    if plots:
        from laboratory.plots import draw

        for path in draw(plots, model.applied(world), max(1, seasons // 10), seed):
            Console(stderr=True).print(f"drew {path}", highlight=False)


def _need_packages() -> None:
    try:
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    except ImportError as error:
        raise PrerequisiteError(
            f"{error.name} is missing: install the extra `simulate` (or run `make setup`)"
        ) from error


def _rules(name: str, kind: TournamentKind) -> "TournamentRules":
    from tournament.rules import named

    try:
        return named(name, kind)
    except ValueError as error:
        raise PrerequisiteError(str(error)) from error


def _noise_model(
    file: Path | None, recorded: bool, seed_noise: float | None, kind: TournamentKind, world: "World"
) -> "NoiseModel":
    """From a file, from the store, or stated; a stated training noise goes before what these say."""
    from laboratory.noise import stated

    if file and recorded:
        raise PrerequisiteError("--noise and --recorded are two sources of one model: give one of them")
    model = _read(file) if file else _fitted(kind, world) if recorded else stated(world)
    if seed_noise is None:
        return model
    return model.model_copy(update={"seed_noise": seed_noise, "seed_noise_interval": None})


def _read(file: Path) -> "NoiseModel":
    from pydantic import ValidationError

    from laboratory.noise import NoiseModel

    try:
        return NoiseModel.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise PrerequisiteError(f"{file} holds no noise model: {error}") from error


def _fitted(kind: TournamentKind, world: "World") -> "NoiseModel":
    from gateways.wiring import ports
    from laboratory.noise import fit

    return fit([t.title for t in ports().tournaments.finished(kind) if t.title is not None], world)


def comparison(reports: Sequence["Report"]) -> Table:
    """One column a rule set."""
    first = reports[0]
    heading = (
        f"{first.seasons:,} seasons of {first.tournaments_per_year} tournaments, {first.entrants} entrants, "
        f"the best {first.gain:+.1%}, training noise {first.seed_noise_nats:g} nats"
    )
    table = Table("", *(report.rules for report in reports), title=heading, title_justify="left")
    for label, *cells in zip(ROWS, *(_cells(report) for report in reports), strict=True):
        table.add_row(label, *cells)
    return table


ROWS = (
    "false dethronings a year",
    "  every entrant equal to the champion",
    "  without early stopping",
    "power: titles of challengers with the gain",
    "  without early stopping",
    "best entrant becomes the challenger",
    "best entrant takes the title",
    "anybody takes the title",
    "challenger's true gain below the best's",
    "title challenges, nobody better | with the gain",
    "  without early stopping",
    "GPU hours a tournament, nobody better | with the gain",
    "  mean of the two",
    "  without early stopping",
)


def _cells(report: "Report") -> tuple[str, ...]:
    whole, challenges, hours = report.without_early_stopping, report.title_challenges, report.gpu_hours
    equal = report.false_dethronings_if_all_are_equal
    return (
        f"{report.false_dethronings_per_year:.4f} {_between(report.false_dethronings_per_year_interval, '.4f')}",
        f"{equal:.4f} {_between(report.false_dethronings_if_all_are_equal_interval, '.4f')}",
        f"{whole.false_dethronings_per_year:.4f}",
        f"{_share(report.power)} {_between(report.power_interval, '.1%')}",
        _share(whole.power),
        _share(report.best_entrant_wins),
        _share(report.best_holds_title),
        _share(report.title_changes),
        f"{report.challenger_shortfall:.2%}",
        f"{challenges.null:.1f} | {challenges.gain:.1f}",
        f"{whole.title_challenges:.1f}",
        f"{hours.null:.0f} | {hours.gain:.0f}",
        f"{report.gpu_hours_per_tournament:.0f}",
        f"{whole.gpu_hours_per_tournament:.0f}",
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _between(interval: "Interval | None", style: str) -> str:
    return "" if interval is None else f"({interval[0]:{style}}–{interval[1]:{style}})"
