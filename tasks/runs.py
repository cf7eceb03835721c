"""Container runs on this machine that no row waits for."""

import re

from prefect import task

from core.errors import StaleStateError
from core.ids import EvaluationId, TrainingId
from core.training import WorkStatus
from gateways.wiring import ports
from tasks.retrying import EFFECT

_RUN = re.compile(r"^(?P<subject>.+?(?P<evaluation>-e\d+)?)-a\d+$")


@task(**EFFECT)
def remove_finished_runs() -> list[str]:
    """Remove the runs whose training or evaluation has its outcome; return their names."""
    removed = [name for name in ports().compute.names() if _is_done(name)]
    for name in removed:
        ports().compute.remove(name)
    return removed


def _is_done(name: str) -> bool:
    match = _RUN.fullmatch(name)
    if match is None:
        return False
    try:
        return _status(match["subject"], bool(match["evaluation"])) is WorkStatus.DONE
    except StaleStateError:
        return True


def _status(subject: str, is_evaluation: bool) -> WorkStatus:
    if is_evaluation:
        return ports().evaluations.load(EvaluationId(subject)).status
    return ports().trainings.load(TrainingId(subject)).status
