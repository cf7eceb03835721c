"""Who does what at this moment, read from a tournament's rows. Pure: the clock comes in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from core.challenge import Challenge
from core.evaluation import Evaluation, Refused, Scored
from core.ids import CHAMPION, Contestant, Hotkey
from core.tournament import Entry, EntryStatus, TournamentState, TournamentStatus
from core.training import Training, TrainingFailed, WorkStatus

Names = Mapping[Hotkey, str]


class Phase(StrEnum):
    WAITING = "waits"
    TRAINING = "training"
    EVALUATING = "evaluating"
    MEASURED = "measured"
    FAILED = "failed"
    OUT = "out"
    REFUSED = "refused"
    CHAMPION = "champion"


class Line(NamedTuple):
    """One contestant."""

    name: str
    phase: Phase
    detail: str = ""
    clock: tuple[float, float] | None = None
    """Seconds on the training clock, and where it ends."""


class Work(NamedTuple):
    """One contestant on one challenge."""

    challenge: Challenge
    training: Training
    evaluation: Evaluation | None


def name_of(contestant: Contestant | Hotkey, names: Names, champion: Hotkey) -> str:
    """The miner's name, or the start of its hotkey; the champion's frozen code says so."""
    if contestant == CHAMPION:
        return f"champion ({name_of(champion, names, champion)})"
    return names.get(Hotkey(contestant), f"{contestant[:8]}…")


def with_names(text: str, names: Names) -> str:
    """Hotkeys in a text become names."""
    for hotkey, name in names.items():
        text = text.replace(hotkey, name)
    return text


def lines(state: TournamentState, names: Names, now: datetime) -> list[Line]:
    """The champion first, then everybody in the order of entry."""
    champion = state.tournament.champion.hotkey
    entries = sorted(state.entries, key=lambda entry: entry.registered_block)
    entrants = [_entrant_line(state, entry, name_of(entry.hotkey, names, champion), now) for entry in entries]
    told = [_champion_line(state, names, now), *entrants]
    return [line._replace(detail=with_names(line.detail, names)) for line in told]


def _champion_line(state: TournamentState, names: Names, now: datetime) -> Line:
    tournament, title = state.tournament, state.tournament.title
    name = name_of(CHAMPION, names, tournament.champion.hotkey)
    if title is not None:
        return Line(name, Phase.OUT, "lost the title") if title.changed_hands else Line(name, Phase.CHAMPION, title.why)
    works = works_of(state, CHAMPION)
    return _work_line(name, works, now) if works else Line(name, Phase.WAITING, "defends the title at the end")


def _entrant_line(state: TournamentState, entry: Entry, name: str, now: datetime) -> Line:
    title, contestant = state.tournament.title, Contestant(entry.hotkey)
    if entry.status is EntryStatus.REFUSED:
        return Line(name, Phase.REFUSED, entry.reason or "")
    if title is not None and title.changed_hands and title.winner == entry.hotkey:
        return Line(name, Phase.CHAMPION, title.why)
    if why := why_out(state, contestant):
        return Line(name, Phase.OUT, why)
    return _work_line(name, works_of(state, contestant), now)


def why_out(state: TournamentState, contestant: Contestant) -> str | None:
    """In which round a contestant went out, and why; None while it plays."""
    for result in state.results:
        for standing in result.standings:
            if standing.contestant == contestant and not standing.advances:
                measured = "" if standing.value is None else f"rank {standing.rank}, loss {standing.value:.4f}"
                return f"round {result.number}: {standing.reason or measured}"
    return None


def works_of(state: TournamentState, contestant: Contestant) -> list[Work]:
    """A contestant's trainings of the newest round, with what became of each."""
    newest = state.rounds[-1].plan.round_id if state.rounds else None
    challenges = {c.challenge_id: c for c in state.challenges if c.round_id == newest}
    evaluations = {e.training_id: e for e in state.evaluations}
    return [
        Work(challenges[training.challenge_id], training, evaluations.get(training.training_id))
        for training in state.trainings
        if training.contestant == contestant and training.challenge_id in challenges
    ]


def _work_line(name: str, works: Sequence[Work], now: datetime) -> Line:
    """The liveliest of a contestant's works, and what the finished ones came to."""
    if not works:
        return Line(name, Phase.WAITING, "for the draw")
    order = list(Phase)
    phases = [_phase(work) for work in works]
    running = [phase for phase in phases if phase in (Phase.TRAINING, Phase.EVALUATING)]
    liveliest = min(running or phases, key=order.index)
    results = [text for work in works if (text := _result(work))]
    clock = next((_clock(work, now) for work, phase in zip(works, phases, strict=True) if phase is liveliest), None)
    return Line(name, liveliest, " · ".join(results), clock if liveliest is Phase.TRAINING else None)


def _phase(work: Work) -> Phase:
    if isinstance(work.training.outcome, TrainingFailed) or (
        work.evaluation is not None and isinstance(work.evaluation.outcome, Refused)
    ):
        return Phase.FAILED
    if work.evaluation is not None and work.evaluation.outcome is not None:
        return Phase.MEASURED
    if work.training.status is WorkStatus.DONE:
        return Phase.EVALUATING
    return Phase.TRAINING if work.training.status is WorkStatus.RUNNING else Phase.WAITING


def _result(work: Work) -> str:
    if isinstance(work.training.outcome, TrainingFailed):
        return work.training.outcome.reason
    match work.evaluation.outcome if work.evaluation else None:
        case Scored(value=loss):
            return f"loss {loss:.4f}"
        case Refused(reason=reason):
            return reason
        case None:
            return ""


def _clock(work: Work, now: datetime) -> tuple[float, float] | None:
    attempt = work.training.attempts[-1] if work.training.attempts else None
    if attempt is None or attempt.started_at is None or attempt.ended_at is not None:
        return None
    limit = work.challenge.plan.training_seconds
    return min(limit, max(0.0, (now - attempt.started_at).total_seconds())), limit


def headline(state: TournamentState, block_number: int) -> str:
    """What the tournament is at."""
    tournament = state.tournament
    match tournament.status:
        case TournamentStatus.COLLECTING:
            left = max(0, tournament.closing_block - block_number)
            return f"takes entries for {left} more blocks"
        case TournamentStatus.ACTIVE if state.rounds:
            plan = state.rounds[-1].plan
            done = sum(training.status is WorkStatus.DONE for training in state.trainings)
            return f"round {plan.number}, {plan.type}: {done} of {len(state.trainings)} trainings done"
        case TournamentStatus.ACTIVE:
            return "draws its first round"
        case TournamentStatus.FINISHED:
            return "finished"
        case _:
            return f"{tournament.status}: {tournament.reason}"
