"""How a tournament ended, as tables: the title match with its test, final positions, what is released."""

from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from core.tournament import TitleChallenge, TitleResult, TitleTest, TournamentState
from tournament.positions import final_positions, released


def finish(state: TournamentState) -> list[RenderableType]:
    """Nothing before there is a title."""
    result = state.tournament.title
    if result is None:
        return []
    return [title(result, state.tournament.title_revision), positions(state, result)]


def title(result: TitleResult, revision: int) -> RenderableType:
    heading = f"Title match, margin {result.threshold}" + (f", revision {revision}" if revision > 1 else "")
    columns = ("challenge", "champion", "challenger", "gain (s.e.)", "mirror", "taken by", "why")
    table = Table(*columns, title=heading, title_justify="left")
    for challenge in result.challenges:
        values = ("–" if x is None else f"{x:.6f}" for x in (challenge.champion_value, challenge.challenger_value))
        mirror = _percent(challenge.mirror_gain)
        table.add_row(challenge.challenge_id, *values, _gain(challenge), mirror, challenge.winner, challenge.why)
    verdict = Text(f"{result.winner} holds the title: {result.why}", "bold")
    return Group(table, *([title_test(result.test)] if result.test else []), verdict)


def _gain(challenge: TitleChallenge) -> str:
    error = f" ({_percent(challenge.standard_error)})" if challenge.standard_error else ""
    return _percent(challenge.gain) + error


def _percent(value: str | None) -> str:
    return "" if value is None else f"{Decimal(value):.3%}"


def title_test(result: TitleTest) -> Text:
    """The pooled test in words."""
    statistic = "no spread" if result.statistic is None else f"{Decimal(result.statistic):.3f}"
    return Text(
        f"mean gain {_percent(result.mean_gain)} over {result.challenges} challenges, s.d. "
        f"{_percent(result.standard_deviation)}: statistic {statistic}, needed {result.critical} at α {result.alpha}; "
        f"the true gain is at least {_percent(result.low)} at that level; "
        f"the whole match would have found {_percent(result.smallest_detectable_gain)} with 80 % power"
    )


def positions(state: TournamentState, result: TitleResult) -> Table:
    """Final positions, and whose code is released as open source."""
    places = final_positions(result, state.results, state.disqualified)
    code = {release.position: release for release in released(state, places)}
    table = Table("position", "hotkey", "played until round", "released", title="Final positions", title_justify="left")
    for place in places:
        release = code.get(place.position)
        link = Text(f"{release.repository}@{release.commit[:10]}") if release else ""
        table.add_row(str(place.position), place.hotkey, str(place.round_number), link)
    return table
