"""Who goes through: groups and pairs by loss; who failed never beats who scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from core.errors import Fault
from core.ids import CHAMPION, Contestant
from core.tournament import Group, Round, RoundResult, RoundType, Standing, TournamentState
from tournament.draw import digest
from tournament.rules import TournamentRules
from tournament.scoring import Result, results_of
from tournament.title import decide_title


@dataclass(frozen=True)
class Tally:
    """A contestant's round: mean loss over the group's challenges, or why there is none."""

    contestant: Contestant
    loss: float | None
    reason: str | None = None
    fault: Fault | None = None


def close_round(state: TournamentState, round_: Round, rules: TournamentRules) -> RoundResult:
    """The standings that the recorded outcomes give. Raises ValueError while one is missing."""
    standings: list[Standing] = []
    for group in round_.plan.groups:
        standings += _group_standings(state, round_, group, rules)
    return RoundResult(round_id=round_.plan.round_id, number=round_.plan.number, standings=tuple(standings))


def _group_standings(state: TournamentState, round_: Round, group: Group, rules: TournamentRules) -> list[Standing]:
    if len(group.members) == 1:
        return [_bye(group)]
    results = [results_of(state, plan.challenge_id) for plan in group.challenges]
    tallies = [tally(member, [result[member] for result in results]) for member in group.members]
    if round_.plan.type is RoundType.TITLE:
        return _title_standings(state, group, tallies, rules)
    places = 1 if round_.plan.type is RoundType.KNOCKOUT else rules.group_advance
    return rank(group, tallies, places, state)


def _bye(group: Group) -> Standing:
    return Standing(
        group_id=group.group_id, contestant=group.members[0], rank=1, loss=None, advances=True, reason="bye"
    )


def tally(contestant: Contestant, results: Sequence[Result]) -> Tally:
    """Mean over the challenges; one challenge without a valid result leaves no mean."""
    if failed := next((result for result in results if result.loss is None), None):
        return Tally(contestant, None, failed.reason, failed.fault)
    losses = [result.loss for result in results if result.loss is not None]
    return Tally(contestant, fsum(losses) / len(losses))


def rank(group: Group, tallies: Sequence[Tally], places: int, state: TournamentState) -> list[Standing]:
    """Standings of a group, best first: the `places` lowest losses go through.

    Equal losses share a rank; for the last place the earlier entry goes before the later one.
    """
    losses = [t.loss for t in tallies if t.loss is not None]
    ordered = sorted(tallies, key=lambda t: (t.loss is None, t.loss or 0.0, *_seniority(t.contestant, state)))
    standings = []
    for position, item in enumerate(ordered):
        better = len(losses) if item.loss is None else sum(loss < item.loss for loss in losses)
        standings.append(
            Standing(
                group_id=group.group_id,
                contestant=item.contestant,
                rank=better + 1,
                loss=item.loss,
                advances=item.loss is not None and position < places,
                reason=item.reason,
                fault=item.fault,
            )
        )
    return standings


def _seniority(contestant: Contestant, state: TournamentState) -> tuple[int, str]:
    """Earlier entries first; of one block, by a draw from the seed."""
    block = next((e.registered_block for e in state.entries if Contestant(e.hotkey) == contestant), 0)
    return block, digest(state.tournament.seed or "", f"tie:{contestant}")


def _title_standings(
    state: TournamentState, group: Group, tallies: Sequence[Tally], rules: TournamentRules
) -> list[Standing]:
    """The winner of the title match is ranked 1, whatever the mean losses say."""
    title = decide_title(state, group, rules)
    winner = title.challenger if title.changed_hands else CHAMPION
    standings = [
        Standing(
            group_id=group.group_id,
            contestant=item.contestant,
            rank=1 if item.contestant == winner else 2,
            loss=item.loss,
            advances=item.contestant == winner,
            reason=item.reason,
            fault=item.fault,
        )
        for item in tallies
    ]
    return sorted(standings, key=lambda standing: standing.rank)
