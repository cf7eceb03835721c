"""What a drawn round brings with it, in memory: planned challenges and queued trainings."""

from collections.abc import Iterator

from core.challenge import Challenge, ChallengeStatus
from core.errors import StaleStateError
from core.ids import CHAMPION, MIRROR, ChallengeId, Contestant, TournamentId, training_id
from core.tournament import Champion, Entry, EntryStatus, RoundPlan
from core.training import Training, WorkStatus
from gateways.memory.world import TournamentRow


def challenges_of(tournament_id: TournamentId, plan: RoundPlan) -> Iterator[Challenge]:
    for group in plan.groups:
        for challenge in group.challenges:
            yield Challenge(
                plan=challenge,
                tournament_id=tournament_id,
                round_id=plan.round_id,
                group_id=group.group_id,
                status=ChallengeStatus.PLANNED,
            )


def trainings_of(row: TournamentRow, plan: RoundPlan) -> Iterator[Training]:
    for group in plan.groups:
        for challenge in group.challenges:
            for member in group.members:
                yield _training(row, challenge.challenge_id, member)


def _training(row: TournamentRow, challenge_id: ChallengeId, member: Contestant) -> Training:
    code = _code_of(row, member)
    return Training(
        training_id=training_id(challenge_id, member),
        challenge_id=challenge_id,
        contestant=member,
        hotkey=code.hotkey,
        repository=code.repository,
        commit=code.commit,
        tree=code.tree,
        status=WorkStatus.QUEUED,
    )


def _code_of(row: TournamentRow, member: Contestant) -> Entry | Champion:
    """What the member plays with: the champion's frozen code (its mirror too), or that of its own accepted entry."""
    if member in (CHAMPION, MIRROR):
        return row.tournament.champion
    for entry in row.entries:
        if Contestant(entry.hotkey) == member and entry.status is EntryStatus.ACCEPTED:
            return entry
    raise StaleStateError(f"{member} has no accepted entry in tournament {row.tournament.tournament_id}")
