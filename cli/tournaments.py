"""`god tournament …`: look at tournaments, decide about a halted one, revise what was decided wrongly."""

from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.finish import finish
from cli.schedule import next_date
from core.errors import PrerequisiteError
from core.ids import TournamentId
from core.tournament import (
    Gap,
    HaltCause,
    Halted,
    RoundResult,
    RoundStatus,
    TournamentKind,
    TournamentState,
)

app = typer.Typer(no_args_is_help=True, help="Look at tournaments, decide about a halted one, revise results.")
console = Console()
Id = Annotated[str, typer.Argument(help="A tournament's id; the newest one when left out.")]


@app.command()
def show(tournament_id: Id = "") -> None:
    """Entries, standings, title match: everything that is recorded of a tournament."""
    from gateways.wiring import ports

    state = ports().tournaments.load(_named(tournament_id))
    console.print(tournament(state), soft_wrap=True)
    console.print(next_date(state.tournament.kind), highlight=False)


@app.command()
def resume(
    tournament_id: Id = "",
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", help="Let the round's failures of ours count; try nothing again.")
    ] = False,
) -> None:
    """Let a halted tournament go on: what failed by our fault is tried again. The sweep starts it within a minute."""
    from gateways.wiring import ports

    id_ = _named(tournament_id)
    ports().tournaments.resume(id_, accept_failures)
    how = "with its failures" if accept_failures else "and tries again what our side failed"
    console.print(f"tournament {id_} goes on {how}; `god tournament show {id_}` tells how far it is")


@app.command()
def cancel(
    tournament_id: Id = "", reason: Annotated[str, typer.Option(help="Why; everybody can read it.")] = ""
) -> None:
    """End an open tournament without a title; its fees go back."""
    from gateways.wiring import ports

    if not reason:
        raise PrerequisiteError("say why, for everybody to read: --reason TEXT")
    id_ = _named(tournament_id)
    ports().tournaments.cancel(id_, reason)
    console.print(f"tournament {id_} is cancelled", highlight=False)


@app.command()
def revise(
    tournament_id: Annotated[str, typer.Argument(help="A tournament's id.")],
    round_number: Annotated[int, typer.Option("--round", min=0, help="A round's number; 0 is the title.")],
    disqualify: Annotated[str, typer.Option(help="Hotkey of an entrant whose results count no longer.")] = "",
    reason: Annotated[str, typer.Option(help="Why it is disqualified; it is published.")] = "",
) -> None:
    """Decide a round, or the title, again by what is recorded: the next revision. Nothing is overwritten."""
    from embedded.addresses import use_services
    from embedded.state import this_state

    if bool(disqualify) != bool(reason):
        raise PrerequisiteError("a disqualification needs both, --disqualify HOTKEY and --reason TEXT")
    use_services(this_state())
    is_revised = _revised(tournament_id, round_number, disqualify, reason)
    outcome = "there is a new revision" if is_revised else "the result stays as it is"
    console.print(f"{outcome}; `god tournament show {tournament_id}` shows it", highlight=False)


def _revised(tournament_id: str, round_number: int, disqualify: str, reason: str) -> bool:
    """Run the flow here."""
    from flows.revision import revise_tournament

    with console.status("deciding again"):
        return revise_tournament(tournament_id, round_number, disqualify, reason)


def _named(tournament_id: str) -> TournamentId:
    from gateways.wiring import ports

    if tournament_id:
        return TournamentId(tournament_id)
    latest = [found for kind in TournamentKind if (found := ports().tournaments.latest(kind))]
    if not latest:
        way = "prefect deployment run open-tournament/default --param first_champion=HOTKEY"
        raise PrerequisiteError(f"no tournament was ever opened; `{way}` does")
    return max(latest, key=lambda found: found.opened_block).tournament_id


def tournament(state: TournamentState) -> RenderableType:
    """A tournament as tables."""
    about = state.tournament
    head = Text(f"{about.tournament_id}: {about.status}", "bold")
    if about.reason:
        head.append(f" ({about.reason})")
    parts: list[RenderableType] = [head]
    if about.halted is not None:
        parts.append(decision(about.tournament_id, about.halted))
    parts += [entries(state), *superseded(state), *(standings(result) for result in state.results)]
    return Group(*parts, *finish(state))


def decision(tournament_id: TournamentId, halted: Halted) -> Text:
    """What an operator can do, and until when."""
    lines = [
        f"cause: {halted.cause}; from block {halted.decide_by_block} on it is cancelled",
        f"`god tournament resume {tournament_id}` tries again what our side failed",
    ]
    if halted.cause is HaltCause.FAILURES:
        lines.append(f"`god tournament resume {tournament_id} --accept-failures` goes on with the failures as they are")
    lines.append(f"`god tournament cancel {tournament_id} --reason TEXT` ends it, and fees go back")
    return Text("\n".join(lines), "red")


def superseded(state: TournamentState) -> list[Text]:
    """Rounds that no longer count."""
    numbers = [r.plan.number for r in state.rounds if r.status is RoundStatus.SUPERSEDED]
    return [Text(f"Round {number} was superseded: an earlier one was revised") for number in numbers]


def entries(state: TournamentState) -> Table:
    table = Table("hotkey", "repository", "commit", "status", "reason", title="Entries", title_justify="left")
    for entry in state.entries:
        fallen = state.disqualified.get(entry.hotkey)
        status, reason = ("disqualified", fallen) if fallen else (entry.status, entry.reason or "")
        table.add_row(entry.hotkey, Text(entry.repository), entry.commit[:10], status, Text(reason))
    return table


def standings(result: RoundResult) -> Table:
    heading = f"Round {result.number}" + (f", revision {result.revision}" if result.revision > 1 else "")
    columns = ("group", "rank", "contestant", "value", "gap, 95 %", "goes through", "")
    table = Table(*columns, title=heading, title_justify="left")
    for standing in result.standings:
        value, gap = "–" if standing.value is None else f"{standing.value:.6f}", interval(standing.gap)
        blame = f" ({standing.fault})" if standing.fault else ""
        through, reason = "yes" if standing.advances else "", Text(f"{standing.reason or ''}{blame}")
        table.add_row(standing.group_id, str(standing.rank), standing.contestant, value, gap, through, reason)
    return table


def interval(gap: Gap | None) -> str:
    return "" if gap is None else f"{Decimal(gap.gain):+.4f} ({Decimal(gap.low):+.4f} … {Decimal(gap.high):+.4f})"
