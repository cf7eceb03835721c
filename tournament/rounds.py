"""Which rounds, results and challenges of a tournament's state are in force: not those that a revision superseded."""

from core.challenge import Challenge
from core.ids import CHAMPION, MIRROR, Contestant, Hotkey
from core.tournament import EntryStatus, Group, Round, RoundResult, RoundStatus, RoundType, TournamentState


def live_rounds(state: TournamentState) -> list[Round]:
    """By number."""
    return [round_ for round_ in state.rounds if round_.status is not RoundStatus.SUPERSEDED]


def last_result(state: TournamentState) -> RoundResult | None:
    """Of the newest closed round in force."""
    closed = {round_.plan.round_id for round_ in live_rounds(state) if round_.status is RoundStatus.CLOSED}
    return next((result for result in reversed(state.results) if result.round_id in closed), None)


def challenges_of(state: TournamentState, round_: Round) -> list[Challenge]:
    return [challenge for challenge in state.challenges if challenge.round_id == round_.plan.round_id]


def challenges_of_type(state: TournamentState, type_: RoundType, status: RoundStatus | None = None) -> list[Challenge]:
    """Of the live rounds of a type (and status), in the order of play."""
    rounds = [r for r in live_rounds(state) if r.plan.type is type_ and status in (None, r.status)]
    return [challenge for round_ in rounds for challenge in challenges_of(state, round_)]


def contenders_of(state: TournamentState) -> list[Contestant]:
    """Who still plays for the title: the accepted entrants, later those whom the last closed round let through."""
    result = last_result(state)
    if result is None:
        accepted = [entry for entry in state.entries if entry.status is EntryStatus.ACCEPTED]
        return [Contestant(e.hotkey) for e in accepted if e.hotkey not in state.disqualified]
    through = [standing.contestant for standing in result.standings if standing.advances]
    return [c for c in through if c not in (CHAMPION, MIRROR) and Hotkey(c) not in state.disqualified]


def undecided_pairs(state: TournamentState) -> list[tuple[Contestant, ...]]:
    """Pairs of the last closed round of which both go through: they meet again."""
    result = last_result(state)
    round_ = next((r for r in live_rounds(state) if result and r.plan.round_id == result.round_id), None)
    if result is None or round_ is None or round_.plan.type is not RoundType.KNOCKOUT:
        return []
    through = {standing.contestant for standing in result.standings if standing.advances}
    return [group.members for group in round_.plan.groups if len(group.members) > 1 and set(group.members) <= through]


def meetings(state: TournamentState, group: Group, round_: Round) -> list[Challenge]:
    """All challenges of a pair's tie, this round's last: it meets again in the rounds that follow while undecided."""
    challenges: list[Challenge] = []
    for earlier in reversed([r for r in live_rounds(state) if r.plan.number <= round_.plan.number]):
        same = [g for g in earlier.plan.groups if set(g.members) == set(group.members)]
        if earlier.plan.type is not RoundType.KNOCKOUT or not same:
            break
        ids = {plan.challenge_id for plan in same[0].challenges}
        challenges = [c for c in state.challenges if c.challenge_id in ids] + challenges
    return challenges


def with_closed(state: TournamentState, round_: Round) -> TournamentState:
    """The state as it will be when this round, whose outcomes are all there, is closed."""
    closed = round_.model_copy(update={"status": RoundStatus.CLOSED})
    return state.model_copy(update={"rounds": tuple(closed if r is round_ else r for r in state.rounds)})
