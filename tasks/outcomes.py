"""Whether a training, an evaluation or a trial of a challenge is over, by its name alone."""

import re

from core.challenge import ChallengeStatus
from core.errors import StaleStateError
from core.ids import ChallengeId, EvaluationId, TrainingId, tournament_of
from core.tournament import TournamentStatus
from core.training import WorkStatus
from gateways.wiring import ports

_EVALUATION = re.compile(r".+-e\d+")
_TRIAL = re.compile(r"(?P<challenge>.+)-trial(?P<replacement>\d+)(-[0-9a-f]{12})?")


def has_outcome(subject: str) -> bool:
    """True as well for what no row knows: nothing more will come of it."""
    try:
        if trial := _TRIAL.fullmatch(subject):
            return not is_planned(ChallengeId(trial["challenge"]), int(trial["replacement"]))
        return _status(subject) is WorkStatus.DONE
    except StaleStateError:
        return True


def is_planned(challenge_id: ChallengeId, replacement: int) -> bool:
    """The challenge, as it was drawn for that time, is still to be made ready or given up.

    Raises StaleStateError when there is no such tournament.
    """
    state = ports().tournaments.load(tournament_of(challenge_id))
    return state.tournament.status not in (TournamentStatus.FINISHED, TournamentStatus.CANCELLED) and any(
        (c.challenge_id, c.status, c.plan.replacement) == (challenge_id, ChallengeStatus.PLANNED, replacement)
        for c in state.challenges
    )


def _status(subject: str) -> WorkStatus:
    if _EVALUATION.fullmatch(subject):
        return ports().evaluations.load(EvaluationId(subject)).status
    return ports().trainings.load(TrainingId(subject)).status
