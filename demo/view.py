"""The live view: rows of `demo.progress` as a table that moves, or as lines where there is no terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.progress import Line, Phase

STYLE = {
    Phase.WAITING: "dim",
    Phase.TRAINING: "bold cyan",
    Phase.EVALUATING: "bold magenta",
    Phase.MEASURED: "green",
    Phase.FAILED: "red",
    Phase.OUT: "dim",
    Phase.REFUSED: "red",
    Phase.CHAMPION: "bold yellow",
}


def view(title: str, headline: str, lines: Sequence[Line], elapsed_seconds: float) -> RenderableType:
    """The tournament at one moment."""
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, min_width=10)
    table.add_column(no_wrap=True, min_width=30)
    table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    for line in lines:
        detail = Text(printable(line.detail))
        table.add_row(Text(line.name), Text(line.phase, STYLE[line.phase]), _clock(line), detail)
    heading = Text.assemble((headline, "bold"), ("   " + minutes(elapsed_seconds), "dim"))
    return Panel(Group(heading, Text(), table), title=title, title_align="left", border_style="blue")


def _clock(line: Line) -> RenderableType:
    if line.clock is None:
        return Text()
    seconds, limit = line.clock
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=limit, completed=seconds, width=20), Text(f"{seconds:.0f} of {limit:.0f} s", "dim"))
    return row


def news(before: Sequence[Line], lines: Sequence[Line], elapsed_seconds: float) -> list[str]:
    """What changed between two moments, one plain line for each contestant."""
    known = {line.name: (line.phase, line.detail) for line in before}
    return [
        f"{minutes(elapsed_seconds)}  {line.name}: {line.phase}{': ' if line.detail else ''}{printable(line.detail)}"
        for line in lines
        if known.get(line.name) != (line.phase, line.detail)
    ]


def printable(text: str) -> str:
    """Without control characters: reasons quote what hostile code wrote."""
    return "".join(character if character.isprintable() else " " for character in text)


def minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
