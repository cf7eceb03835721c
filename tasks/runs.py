"""Container runs on this machine that no row waits for."""

import re

from prefect import task

from gateways.wiring import ports
from tasks.outcomes import has_outcome
from tasks.retrying import EFFECT

_RUN = re.compile(r"(?P<subject>.+)-a\d+")


@task(**EFFECT)
def remove_finished_runs() -> list[str]:
    """Remove the runs whose training or evaluation has its outcome; return their names."""
    removed = [name for name in ports().compute.names() if _is_done(name)]
    for name in removed:
        ports().compute.remove(name)
    return removed


def _is_done(name: str) -> bool:
    match = _RUN.fullmatch(name)
    return match is not None and has_outcome(match["subject"])
