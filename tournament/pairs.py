"""A knock-out pair: decided by its paired gains, or it meets again on one more challenge."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.ids import Contestant
from core.tournament import Gap, Group, Round, TournamentState
from tournament.draw import seniority
from tournament.merit import mean
from tournament.results import Examples, error_of, gain_of, interval, mean_error
from tournament.rounds import meetings
from tournament.rules import TournamentRules
from tournament.scoring import Result, results_of

SPARE_MEETINGS = 3
"""So often a pair meets again because our side failed; then what counts decides, or the earlier entry goes through."""

Meeting = tuple[Result, Result]


@dataclass(frozen=True)
class PairVerdict:
    """Who goes through. Undecided: the pair meets again; no winner and decided: neither."""

    winner: Contestant | None
    why: str
    is_undecided: bool = False
    gap: Gap | None = None
    """Of the first member over the second."""

    def gap_of(self, contestant: Contestant) -> Gap | None:
        return self.gap if self.gap and self.gap.against != contestant else None


def judge_pair(
    state: TournamentState, round_: Round, group: Group, rules: TournamentRules, examples: Examples
) -> PairVerdict:
    """All challenges of the tie count, but those that our side failed at."""
    first, second = sorted(group.members, key=lambda member: seniority(member, state))
    played = [results_of(state, challenge.challenge_id, rules) for challenge in meetings(state, group, round_)]
    pairs = [(results[first], results[second]) for results in played]
    counted = [(a, b) for a, b in pairs if not (a.is_void or b.is_void)]
    if not counted:
        return _unplayed(first, len(pairs), rules)
    last = counted[-1]
    if (last[0].value is None) != (last[1].value is None):
        better = last[0] if last[1].value is None else last[1]
        return PairVerdict(better.contestant, "only one of the two has a valid result")
    is_last = len(counted) > rules.pairs.deciders or not _may_meet_again(len(pairs), rules)
    return _by_gains(first, second, counted, is_last, rules, examples)


def _may_meet_again(meetings_: int, rules: TournamentRules) -> bool:
    return meetings_ <= rules.pairs.deciders + SPARE_MEETINGS


def _unplayed(first: Contestant, meetings_: int, rules: TournamentRules) -> PairVerdict:
    if _may_meet_again(meetings_, rules):
        return PairVerdict(None, "our side failed at it; the pair meets again", is_undecided=True)
    return PairVerdict(first, "our side failed at every challenge of the pair; the earlier entry goes through")


def _by_gains(
    first: Contestant,
    second: Contestant,
    counted: Sequence[Meeting],
    is_last: bool,
    rules: TournamentRules,
    examples: Examples,
) -> PairVerdict:
    measured = [(a, b, gain) for a, b in counted if (gain := gain_of(a, b)) is not None]
    if not measured:
        return PairVerdict(None, "neither has a valid result")
    gains, errors = [gain for _, _, gain in measured], [error_of(a, b, examples) for a, b, _ in measured]
    gain, needed = mean(gains), rules.pairs.clearance * mean_error(errors, rules.training_noise)
    gap = interval(second, gains, errors, rules.training_noise)
    if abs(gain) < needed and not is_last:
        return PairVerdict(None, f"a gain of {gain:.4%} does not decide; the pair meets again", True, gap)
    return PairVerdict(second if gain < 0 else first, _told(gain, len(gains)), gap=gap)


def _told(gain: Decimal, challenges: int) -> str:
    if gain == 0:
        return "equal; the earlier entry goes through"
    return f"a mean gain of {abs(gain):.4%} over {challenges} challenge{'s' if challenges > 1 else ''}"
