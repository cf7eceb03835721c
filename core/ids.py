"""Names of things. An id says where its thing belongs: tournament, round, group, challenge, contestant.

text-0001                       tournament
text-0001-r2                    round
text-0001-r2-g1                 group (a pair is a group of two)
text-0001-r2-g1-c1              challenge
text-0001-r2-g1-c1-trial0       trial before it is ready (of its replacement 0)
text-0001-r2-g1-c1-5F3s…        training of one contestant
text-0001-r2-g1-c1-5F3s…-e1     evaluation of that training's checkpoint
"""

from typing import NewType

TournamentId = NewType("TournamentId", str)
RoundId = NewType("RoundId", str)
GroupId = NewType("GroupId", str)
ChallengeId = NewType("ChallengeId", str)
TrainingId = NewType("TrainingId", str)
EvaluationId = NewType("EvaluationId", str)
Hotkey = NewType("Hotkey", str)
Coldkey = NewType("Coldkey", str)
Contestant = NewType("Contestant", str)
"""Who plays: an entrant's hotkey, or CHAMPION for the reigning champion's frozen code.

The champion's owner may enter newer code under the own hotkey; the two must not be confused.
"""
CHAMPION = Contestant("champion")
MIRROR = Contestant("mirror")
"""The champion's frozen code once more: it plays a title match along, without winning anything, to measure noise."""


def tournament_id(kind: str, number: int) -> TournamentId:
    return TournamentId(f"{kind}-{number:04d}")


def round_id(tournament: TournamentId, number: int) -> RoundId:
    return RoundId(f"{tournament}-r{number}")


def group_id(round_: RoundId, position: int) -> GroupId:
    return GroupId(f"{round_}-g{position}")


def challenge_id(group: GroupId, position: int) -> ChallengeId:
    return ChallengeId(f"{group}-c{position}")


def trial_id(challenge: ChallengeId, replacement: int) -> str:
    """Name of the trial of a challenge, as it was drawn for the `replacement`-th time."""
    return f"{challenge}-trial{replacement}"


def training_id(challenge: ChallengeId, contestant: Contestant) -> TrainingId:
    return TrainingId(f"{challenge}-{contestant}")


def evaluation_id(subject: str, number: int) -> EvaluationId:
    """Name of the `number`-th evaluation of a training (or of a local model on a challenge)."""
    return EvaluationId(f"{subject}-e{number}")


def tournament_of(challenge: ChallengeId) -> TournamentId:
    """The tournament that a challenge belongs to: `text-0001-r2-g1-c1` → `text-0001`."""
    return TournamentId("-".join(challenge.split("-")[:2]))
