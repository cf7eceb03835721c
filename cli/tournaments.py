"""`god tournament …`: look at tournaments, and let a halted one go on."""

from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.errors import PrerequisiteError
from core.ids import TournamentId
from core.tournament import Entry, RoundResult, TitleResult, TournamentKind, TournamentState, TournamentStatus

app = typer.Typer(no_args_is_help=True, help="Look at tournaments, and let a halted one go on.")
console = Console()
Id = Annotated[str, typer.Argument(help="A tournament's id; the newest one when left out.")]


@app.command()
def show(tournament_id: Id = "") -> None:
    """Entries, standings, title match: everything that is recorded of a tournament."""
    from gateways.wiring import ports

    console.print(tournament(ports().tournaments.load(_named(tournament_id))), soft_wrap=True)


@app.command()
def resume(tournament_id: Id = "") -> None:
    """Let a halted tournament go on; its unfinished work is tried anew. The sweep starts it within a minute."""
    from gateways.wiring import ports

    id_ = _named(tournament_id)
    ports().tournaments.resume(id_)
    console.print(f"tournament {id_} goes on; `god tournament show {id_}` tells how far it is")


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
    if about.status is TournamentStatus.HALTED:
        head.append(f" ({about.reason}); `god tournament resume {about.tournament_id}` goes on", "red")
    elif about.reason:
        head.append(f" ({about.reason})")
    parts: list[RenderableType] = [head, entries(state.entries), *(standings(result) for result in state.results)]
    return Group(*parts, *([title(about.title)] if about.title else []))


def entries(given: tuple[Entry, ...]) -> Table:
    table = Table("hotkey", "repository", "commit", "status", "reason", title="Entries", title_justify="left")
    for entry in given:
        reason = Text(entry.reason or "")
        table.add_row(entry.hotkey, Text(entry.repository), entry.commit[:10], entry.status, reason)
    return table


def standings(result: RoundResult) -> Table:
    heading = f"Round {result.number}" + (f", revision {result.revision}" if result.revision > 1 else "")
    table = Table(
        "group", "rank", "contestant", "nats a token", "goes through", "", title=heading, title_justify="left"
    )
    for standing in result.standings:
        loss = "–" if standing.value is None else f"{standing.value:.6f}"
        blame = f" ({standing.fault})" if standing.fault else ""
        through, reason = "yes" if standing.advances else "", Text(f"{standing.reason or ''}{blame}")
        table.add_row(standing.group_id, str(standing.rank), standing.contestant, loss, through, reason)
    return table


def title(result: TitleResult) -> RenderableType:
    heading = f"Title match, margin {result.threshold}"
    table = Table("challenge", "champion", "challenger", "taken by", "why", title=heading, title_justify="left")
    for challenge in result.challenges:
        losses = ("–" if x is None else f"{x:.6f}" for x in (challenge.champion_value, challenge.challenger_value))
        table.add_row(challenge.challenge_id, *losses, challenge.winner, challenge.why)
    return Group(table, Text(f"{result.winner} holds the title: {result.why}", "bold"))
