"""The end of a tournament: who came where, and whose code is released as open source."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field

from core.artifacts import ArtifactRef
from core.ids import CHAMPION, MIRROR, Contestant, Hotkey
from core.tournament import Champion, Entry, RoundResult, Standing, TitleResult, TournamentState
from core.value import CommitSha, Frozen

RELEASED_POSITIONS = 2


class FinalPosition(Frozen):
    position: Annotated[int, Field(ge=1)]
    """1 holds the title, 2 lost the title match (nobody, when nobody challenged); level contestants share one."""
    contestant: Contestant
    hotkey: Hotkey
    round_number: Annotated[int, Field(ge=1)]
    """The last one that it played."""


class Release(Frozen):
    """Code that everybody may have once the tournament is over."""

    position: Annotated[int, Field(ge=1)]
    hotkey: Hotkey
    repository: str
    commit: CommitSha
    tree: ArtifactRef


def final_positions(
    title: TitleResult, results: Sequence[RoundResult], disqualified: Collection[Hotkey] = ()
) -> tuple[FinalPosition, ...]:
    """Winner, loser of the title match, then all others by the round in which they went out, the latest first.

    Of one round, who has a value comes before who has none, and then the rank counts, across its groups. The
    disqualified have no position.

    Args:
        results: Of the closed rounds in force, in any order.
    """
    ends = _ends(results)
    challenger = [Contestant(title.challenger)] if title.challenger else []
    finalists = [*challenger, CHAMPION] if title.changed_hands else [CHAMPION, *challenger]
    out_of_it = {Contestant(hotkey) for hotkey in disqualified}
    absent = {CHAMPION, MIRROR, *finalists, *out_of_it}
    others = sorted((end, contestant) for contestant, end in ends.items() if contestant not in absent)
    levels = [end for end, _ in others]
    last = max(result.number for result in results)
    placed = [(place, finalist, last) for place, finalist in enumerate(finalists, start=1)]
    placed += [(3 + bisect_left(levels, end), contestant, -end[0]) for end, contestant in others]
    return tuple(
        FinalPosition(
            position=position, contestant=contestant, hotkey=_hotkey(contestant, title), round_number=round_number
        )
        for position, contestant, round_number in placed
        if contestant not in out_of_it
    )


def _hotkey(contestant: Contestant, title: TitleResult) -> Hotkey:
    return title.champion if contestant == CHAMPION else Hotkey(contestant)


def _ends(results: Sequence[RoundResult]) -> dict[Contestant, tuple[int, bool, int]]:
    """How far each contestant came; the smallest came farthest."""

    def end(result: RoundResult, standing: Standing) -> tuple[int, bool, int]:
        return -result.number, standing.value is None, standing.rank

    in_order = sorted(results, key=lambda result: result.number)
    return {standing.contestant: end(result, standing) for result in in_order for standing in result.standings}


def released(state: TournamentState, positions: Sequence[FinalPosition]) -> tuple[Release, ...]:
    """The code of the first two positions: the champion's frozen one, or that of the entry."""
    codes: dict[Contestant, Champion | Entry] = {Contestant(entry.hotkey): entry for entry in state.entries}
    codes[CHAMPION] = state.tournament.champion
    shown = {"hotkey", "repository", "commit", "tree"}
    return tuple(
        Release.model_validate({"position": place.position, **codes[place.contestant].model_dump(include=shown)})
        for place in positions
        if place.position <= RELEASED_POSITIONS
    )
