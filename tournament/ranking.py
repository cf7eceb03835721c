"""Who goes through: groups by mean merit, pairs by paired gains; who failed never beats who scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import fsum

from core.errors import Fault
from core.ids import MIRROR, Contestant
from core.tournament import Gap, Group, Round, RoundResult, RoundType, Standing, TournamentState
from tournament.draw import seniority
from tournament.merit import mean
from tournament.pairs import judge_pair
from tournament.results import Examples, error_of, gain_of, interval
from tournament.rounds import with_closed
from tournament.rules import TournamentRules
from tournament.scoring import Result, results_of
from tournament.title import challenges_to_play, title_winner


@dataclass(frozen=True)
class Tally:
    """A contestant's round: mean merit and mean value over the group's challenges, or why there is none."""

    contestant: Contestant
    merit: Decimal | None
    value: float | None
    results: tuple[Result, ...]
    reason: str | None = None
    fault: Fault | None = None

    @property
    def is_void(self) -> bool:
        return self.merit is None and self.fault is Fault.PLATFORM


def close_round(state: TournamentState, round_: Round, rules: TournamentRules, examples: Examples) -> RoundResult:
    """The standings that the recorded outcomes give. Raises ValueError while one is missing."""
    standings: list[Standing] = []
    for group in round_.plan.groups:
        standings += _group_standings(state, round_, group, rules, examples)
    return RoundResult(round_id=round_.plan.round_id, number=round_.plan.number, standings=tuple(standings))


def _group_standings(
    state: TournamentState, round_: Round, group: Group, rules: TournamentRules, examples: Examples
) -> list[Standing]:
    if len(group.members) == 1:
        return [_bye(group)]
    tallies = _tallies(state, group, rules)
    match round_.plan.type:
        case RoundType.GROUP:
            return rank(group, tallies, rules, state, examples)
        case RoundType.KNOCKOUT:
            return _pair_standings(state, round_, group, tallies, rules, examples)
        case RoundType.TITLE:
            return _title_standings(state, round_, tallies, rules)


def _bye(group: Group) -> Standing:
    return Standing(
        group_id=group.group_id, contestant=group.members[0], rank=1, value=None, advances=True, reason="bye"
    )


def _tallies(state: TournamentState, group: Group, rules: TournamentRules) -> list[Tally]:
    results = [results_of(state, plan.challenge_id, rules) for plan in group.challenges]
    return [tally(member, [result[member] for result in results]) for member in group.members]


def tally(contestant: Contestant, results: Sequence[Result]) -> Tally:
    """Means over the challenges; one without a valid result leaves none. The miner's own failures weigh first."""
    failed = sorted((result for result in results if result.value is None), key=lambda result: result.is_void)
    if failed:
        return Tally(contestant, None, None, tuple(results), failed[0].reason, failed[0].fault)
    merits = [result.merit for result in results if result.merit is not None]
    values = [result.value for result in results if result.value is not None]
    return Tally(contestant, mean(merits), fsum(values) / len(values), tuple(results))


def rank(
    group: Group, tallies: Sequence[Tally], rules: TournamentRules, state: TournamentState, examples: Examples
) -> list[Standing]:
    """Standings of a group, best first: the `group_advance` best go through.

    Equal merits share a rank; for the last place the earlier entry goes before the later one. Who has no result by our
    fault goes through besides.
    """
    merits = [t.merit for t in tallies if t.merit is not None]
    ordered = sorted(tallies, key=lambda t: (t.merit is None, -(t.merit or 0), *seniority(t.contestant, state)))
    places = rules.group_advance
    return [
        Standing(
            group_id=group.group_id,
            contestant=item.contestant,
            rank=1 + (len(merits) if item.merit is None else sum(merit > item.merit for merit in merits)),
            value=item.value,
            gap=_gap(item, ordered, position, places, rules, examples),
            advances=item.is_void or (item.merit is not None and position < places),
            reason=item.reason,
            fault=item.fault,
        )
        for position, item in enumerate(ordered)
    ]


def _gap(
    item: Tally, ordered: Sequence[Tally], position: int, places: int, rules: TournamentRules, examples: Examples
) -> Gap | None:
    """To the first that stays behind, or for those who do, to the last that goes through."""
    other = places if position < places else places - 1
    if other >= len(ordered):
        return None
    gains = [gain_of(a, b) for a, b in zip(item.results, ordered[other].results, strict=True)]
    valid = [gain for gain in gains if gain is not None]
    if len(valid) < len(gains):
        return None
    errors = [error_of(a, b, examples) for a, b in zip(item.results, ordered[other].results, strict=True)]
    return interval(ordered[other].contestant, valid, errors, rules.training_noise)


def _pair_standings(
    state: TournamentState,
    round_: Round,
    group: Group,
    tallies: Sequence[Tally],
    rules: TournamentRules,
    examples: Examples,
) -> list[Standing]:
    """The winner first; both go through while the pair is undecided, neither when both failed by themselves."""
    verdict = judge_pair(state, round_, group, rules, examples)
    standings = []
    for item in tallies:
        goes_on = verdict.is_undecided or item.contestant == verdict.winner
        standings.append(
            Standing(
                group_id=group.group_id,
                contestant=item.contestant,
                rank=1 if goes_on else 2,
                value=item.value,
                gap=verdict.gap_of(item.contestant),
                advances=goes_on,
                reason=item.reason or verdict.why,
                fault=item.fault,
            )
        )
    return sorted(standings, key=lambda standing: standing.rank)


def _title_standings(
    state: TournamentState, round_: Round, tallies: Sequence[Tally], rules: TournamentRules
) -> list[Standing]:
    """The winner of the title match is ranked 1, whatever the means say; both go on while it is undecided."""
    whole = with_closed(state, round_)
    is_undecided = challenges_to_play(whole, rules) > 0
    winner = None if is_undecided else title_winner(whole, rules)
    standings = [
        Standing(
            group_id=round_.plan.groups[0].group_id,
            contestant=item.contestant,
            rank=1 if winner in (None, item.contestant) else 2,
            value=item.value,
            advances=item.contestant != MIRROR and winner in (None, item.contestant),
            reason=item.reason,
            fault=item.fault,
        )
        for item in tallies
    ]
    return sorted(standings, key=lambda standing: standing.rank)
