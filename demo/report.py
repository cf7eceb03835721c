"""The end of the demo: `Summary` as tables. Pure."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.errors import Fault
from core.ids import CHAMPION, Hotkey
from core.tournament import Standing, TitleResult
from demo.progress import Names, name_of, with_names
from demo.summary import Entrant, Outcome, RoundSummary, SpyReport, Summary
from demo.view import minutes, printable

OUTCOME_STYLE = {Outcome.CHAMPION: "bold yellow", Outcome.NO_RESULT: "red", Outcome.REFUSED: "red"}


def report(summary: Summary, places: Mapping[str, str]) -> RenderableType:
    """Everything that happened.

    Args:
        places: Where to look: what → address.
    """
    names = {entrant.hotkey: entrant.name for entrant in summary.entrants}
    champion = summary.title_match.champion if summary.title_match else summary.entrants[0].hotkey
    parts: list[RenderableType] = [_round(round_, names, champion) for round_ in summary.rounds]
    if summary.title_match is not None:
        parts.append(_title(summary.title_match, names))
    parts += [_weights(summary, names), _entrants(summary.entrants, names)]
    if summary.spy is not None:
        parts.append(_spy(summary.spy))
    parts += [_costs(summary), _places(places), _verdict(summary)]
    return Group(*(piece for part in parts for piece in (part, Text())))


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _loss(loss: float | None) -> str:
    return "–" if loss is None else f"{loss:.4f}"


def _round(round_: RoundSummary, names: Names, champion: Hotkey) -> RenderableType:
    table = _table(f"Round {round_.number}: {round_.type}", "", "contestant", round_.measured, "goes through", "")
    for standing in round_.standings:
        table.add_row(*_standing(standing, names, champion))
    return Group(table, Text("  ".join(round_.challenges), "dim"))


def _standing(standing: Standing, names: Names, champion: Hotkey) -> Sequence[str | Text]:
    name = name_of(standing.contestant, names, champion)
    return (
        str(standing.rank),
        printable(name),
        _loss(standing.value),
        Text("yes", "green") if standing.advances else "",
        printable(_blamed(standing.reason or "", standing.fault)),
    )


def _blamed(reason: str, fault: Fault | None) -> str:
    return f"{reason} ({fault}'s fault)" if fault else reason


def _title(title: TitleResult, names: Names) -> RenderableType:
    if title.challenger is None:
        return Text(f"Title match: none. {title.why}")
    versus = f"{name_of(title.challenger, names, title.champion)} against {name_of(CHAMPION, names, title.champion)}"
    table = _table(
        f"Title match: {versus}, margin {title.threshold}", "challenge", "champion", "challenger", "taken by", ""
    )
    for challenge in title.challenges:
        winner = name_of(challenge.winner, names, title.champion) if challenge.winner else "nobody"
        table.add_row(
            challenge.challenge_id,
            _loss(challenge.champion_value),
            _loss(challenge.challenger_value),
            winner,
            challenge.why,
        )
    verb = "takes" if title.changed_hands else "keeps"
    verdict = f"{name_of(title.winner, names, title.champion)} {verb} the title: {title.why}"
    return Group(table, Text(printable(verdict), "bold yellow"))


def _weights(summary: Summary, names: Names) -> Table:
    place = "not set" if summary.weights_block is None else f"set in block {summary.weights_block}"
    table = _table(f"Weights, {place}", "hotkey", "", "weight")
    for hotkey, weight in sorted(summary.weights.items(), key=lambda item: -float(item[1])):
        table.add_row(hotkey, names.get(hotkey, "burned"), weight)
    return table


def _entrants(entrants: Sequence[Entrant], names: Names) -> Table:
    table = _table("What became of everybody", "miner", "hotkey", "outcome", "why")
    for entrant in entrants:
        outcome = Text(entrant.outcome, OUTCOME_STYLE.get(entrant.outcome, ""))
        why = printable(with_names(_blamed(entrant.reason, entrant.fault), names))
        table.add_row(printable(entrant.name), f"{entrant.hotkey[:8]}…", outcome, why)
    return table


def _spy(spy: SpyReport) -> Text:
    tried = f"The spy made {len(spy.held)} attempts that came to nothing ({', '.join(spy.held)})"
    if spy.escapes:
        return Text(printable(f"{tried} AND REACHED: {'; '.join(spy.escapes)}"), "bold red")
    return Text(printable(tried + (" and reached nothing." if spy.is_whole else ", then it stopped.")))


def _costs(summary: Summary) -> Table:
    overhead = summary.overhead_seconds_per_step
    table = _table("What it took", "", "")
    table.add_row("wall time", minutes(summary.wall_seconds))
    table.add_row("in training containers", minutes(summary.training_seconds))
    table.add_row("in evaluation containers", minutes(summary.evaluation_seconds))
    table.add_row("the platform's own, per step", "–" if overhead is None else f"{overhead:.2f} s")
    table.add_row("peak memory, all processes", f"{summary.peak_memory_mib:.0f} MiB")
    return table


def _places(places: Mapping[str, str]) -> Table:
    table = _table("Where to look", "", "")
    for what, where in places.items():
        table.add_row(what, where)
    return table


def _verdict(summary: Summary) -> Text:
    if summary.complete:
        return Text(f"{summary.tournament_id} is complete: from repository links to weights.", "bold green")
    return Text(f"{summary.tournament_id} is not complete: {'; '.join(summary.missing)}.", "bold red")
