"""`god draw`: repeat a round's draw from what is published; nothing is looked up."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.errors import PrerequisiteError

console = Console()


def draw(
    round_id: Annotated[str, typer.Argument(help="The round, as `god tournament show` names it: text-0001-r1.")],
    hotkeys: Annotated[list[str], typer.Argument(help="Everybody who plays for the title in it, in any order.")],
    seed: Annotated[str, typer.Option(help="Hash of the tournament's closing block, 64 hex digits.")],
    rules: Annotated[str, typer.Option(help="The rule set's name.")] = "calibrated",
) -> None:
    """Who meets whom: contenders stand in the order of sha256("<seed>:<round>:<hotkey>")."""
    from core.ids import Contestant, RoundId
    from core.tournament import TournamentKind
    from tournament.draw import draw_groups
    from tournament.rules import named

    repeated = sorted({hotkey for hotkey in hotkeys if hotkeys.count(hotkey) > 1})
    if repeated:
        raise PrerequisiteError(f"named twice: {', '.join(repeated)}; name each contender once")
    try:
        rule_set = named(rules, TournamentKind(round_id.partition("-")[0]))
        groups = draw_groups([Contestant(h) for h in hotkeys], RoundId(round_id), seed, rule_set)
    except ValueError as error:
        raise PrerequisiteError(str(error)) from error
    table = Table("group", "members", title=f"Draw of {round_id}", title_justify="left")
    for group in groups:
        table.add_row(group.group_id, "\n".join(group.members) + (" (bye)" if len(group.members) == 1 else ""))
    console.print(table, soft_wrap=True)
