"""Whether a training or an evaluation is over, by its name alone."""

import re

from core.errors import StaleStateError
from core.ids import EvaluationId, TrainingId
from core.training import WorkStatus
from gateways.wiring import ports

_EVALUATION = re.compile(r".+-e\d+")


def has_outcome(subject: str) -> bool:
    """True as well for what no row knows: nothing more will come of it."""
    try:
        return _status(subject) is WorkStatus.DONE
    except StaleStateError:
        return True


def _status(subject: str) -> WorkStatus:
    if _EVALUATION.fullmatch(subject):
        return ports().evaluations.load(EvaluationId(subject)).status
    return ports().trainings.load(TrainingId(subject)).status
