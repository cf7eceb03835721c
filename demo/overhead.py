"""What the platform itself costs: the time around the containers that is neither training, evaluation nor queueing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import fmean

from core.evaluation import Evaluation
from core.tournament import TournamentState
from core.training import Attempt, Training

Work = Training | Evaluation


def container_seconds(works: Iterable[Work]) -> float:
    """Time that containers ran; a run that several evaluations shared counts once."""
    runs = {attempt.run_name: _span(attempt) for work in works for attempt in work.attempts}
    return sum((ended - started).total_seconds() for started, ended in filter(None, runs.values()))


def overhead_seconds(state: TournamentState) -> list[float]:
    """Of each training and evaluation that is recorded, for the attempt that decided it.

    From the moment when it could have begun (sent, and its slot's last container over; for an evaluation, also the
    last one of its challenge, for one at a time runs) to its container's start, and from the container's end to the
    record. Work that never had a container is left out.
    """
    works: list[Work] = [*state.trainings, *state.evaluations]
    ends = _ends(works)
    return [cost for work in works if (cost := _overhead(work, ends)) is not None]


def overhead_seconds_per_step(state: TournamentState) -> float | None:
    """The mean; None before anything was recorded."""
    costs = overhead_seconds(state)
    return fmean(costs) if costs else None


def _overhead(work: Work, ends: dict[str, list[datetime]]) -> float | None:
    span = _span(work.attempts[-1]) if work.attempts else None
    if span is None or work.dispatched_at is None or work.recorded_at is None:
        return None
    started, ended = span
    before = [end for place in _places(work, work.attempts[-1]) for end in ends.get(place, []) if end <= started]
    could_begin = max([work.dispatched_at, *before])
    return (started - could_begin).total_seconds() + (work.recorded_at - ended).total_seconds()


def _ends(works: Sequence[Work]) -> dict[str, list[datetime]]:
    """When the containers ended, by the places that one container at a time has."""
    ends: dict[str, list[datetime]] = {}
    attempts = ((work, attempt) for work in works for attempt in work.attempts)
    for each, attempt in attempts:
        if attempt.ended_at is not None:
            for place in _places(each, attempt):
                ends.setdefault(place, []).append(attempt.ended_at)
    return ends


def _places(work: Work, attempt: Attempt) -> list[str]:
    """Its slot, and for an evaluation its challenge."""
    slot = [] if attempt.slot is None else [attempt.slot]
    return [*slot, work.challenge_id] if isinstance(work, Evaluation) else slot


def _span(attempt: Attempt) -> tuple[datetime, datetime] | None:
    if attempt.started_at is None or attempt.ended_at is None:
        return None
    return attempt.started_at, attempt.ended_at
