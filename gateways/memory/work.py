"""Trainings and evaluations in memory: two kinds of work with one life, queued → running (attempts) → done."""

from datetime import datetime
from itertools import count
from typing import Any, Generic, TypeVar

from core.artifacts import ArtifactRef
from core.compute import Lease
from core.errors import StaleStateError
from core.evaluation import Evaluation, EvaluationOutcome, EvaluationPurpose
from core.ids import ChallengeId, EvaluationId, TrainingId, evaluation_id
from core.training import Attempt, AttemptEnd, Trained, Training, TrainingOutcome, WorkStatus
from gateways.memory.world import World, changed, transactional

Work = TypeVar("Work", bound=Training | Evaluation)
WorkId = TypeVar("WorkId", bound=TrainingId | EvaluationId)


class _Desk(Generic[WorkId, Work]):
    """The rows of one kind of work and the moves they can make; `noun` is its name in messages and events."""

    def __init__(self, world: World, rows: dict[WorkId, Work], noun: str) -> None:
        self._world = world
        self._rows = rows
        self._noun = noun

    def load(self, work_id: WorkId) -> Work:
        if work_id not in self._rows:
            raise StaleStateError(f"there is no {self._noun} {work_id}")
        return self._rows[work_id]

    def dispatched(self, work_id: WorkId) -> int:
        work = self._unfinished(work_id)
        dispatches = work.dispatches + 1
        self._write(work_id, "dispatched", dispatches=dispatches, dispatched_at=self._world.clock())
        return dispatches

    def begin(self, work_id: WorkId, lease: Lease, shared_run: str | None = None) -> Attempt:
        work = self._unfinished(work_id)
        newest = self._world.work_tokens.get(work_id, 0)
        if lease.token < newest:
            raise StaleStateError(f"{self._noun} {work_id} was taken under token {newest}; {lease.token} is outdated")
        attempt = open_attempt(work)
        if attempt is not None and (lease.token, work.status) == (newest, WorkStatus.RUNNING):
            return attempt
        attempts = work.attempts
        if attempt is None:
            attempt = self._next_attempt(work_id, work, lease, shared_run)
            attempts = (*attempts, attempt)
        self._world.work_tokens[work_id] = lease.token
        self._write(work_id, "begun", number=attempt.number, status=WorkStatus.RUNNING, attempts=attempts)
        return attempt

    def started(self, work_id: WorkId, token: int, started_at: datetime) -> None:
        work = self._guarded(work_id, token)
        attempt = open_attempt(work)
        if attempt is None or attempt.started_at not in {None, started_at}:
            raise StaleStateError(f"{self._noun} {work_id} has no attempt that could start at {started_at}")
        if attempt.started_at is None:
            begun = changed(attempt, started_at=started_at)
            self._write(work_id, "started", number=attempt.number, attempts=(*work.attempts[:-1], begun))

    def end_attempt(self, work_id: WorkId, token: int, end: AttemptEnd) -> None:
        work = self._guarded(work_id, token)
        if work.status is WorkStatus.QUEUED and work.attempts and _ended(work.attempts[-1], end) == work.attempts[-1]:
            return
        if work.status is not WorkStatus.RUNNING:
            raise StaleStateError(f"{self._noun} {work_id} is {work.status} and has no attempt to end")
        attempts = self._end_open(work_id, work, end)
        self._write(work_id, "attempt ended", ending=end.ending.value, status=WorkStatus.QUEUED, attempts=attempts)

    def record(self, work_id: WorkId, token: int, end: AttemptEnd | None, **result: Any) -> bool:
        """Whether something changed; False when the same result was there already."""
        work = self._guarded(work_id, token)
        if work.status is WorkStatus.DONE and changed(work, **result) == work:
            return False
        self._unfinished(work_id)
        changes = {"status": WorkStatus.DONE, "recorded_at": self._world.clock(), **result}
        self._write(work_id, "recorded", attempts=self._end_open(work_id, work, end), **changes)
        return True

    def _unfinished(self, work_id: WorkId) -> Work:
        work = self.load(work_id)
        if work.status is WorkStatus.DONE:
            raise StaleStateError(f"{self._noun} {work_id} is done; its result stands")
        return work

    def _guarded(self, work_id: WorkId, token: int) -> Work:
        work = self.load(work_id)
        newest = self._world.work_tokens.get(work_id, 0)
        if token != newest:
            raise StaleStateError(f"{self._noun} {work_id} is held under token {newest}, not {token}: write nothing")
        return work

    def _next_attempt(self, work_id: WorkId, work: Work, lease: Lease, shared_run: str | None) -> Attempt:
        slot = lease.slots[0] if lease.slots else None
        return Attempt(
            subject_id=work_id,
            number=len(work.attempts) + 1,
            instance=slot.instance if slot else "",
            slot=slot.resource if slot else None,
            shared_run=shared_run,
            begun_at=self._world.clock(),
        )

    def _end_open(self, work_id: WorkId, work: Work, end: AttemptEnd | None) -> tuple[Attempt, ...]:
        attempt = open_attempt(work)
        if attempt is None:
            if end is not None:
                raise StaleStateError(f"{self._noun} {work_id} has no open attempt that could end")
            return work.attempts
        ended = _ended(attempt, end) if end else changed(attempt, ended_at=self._world.clock())
        return (*work.attempts[:-1], ended)

    def _write(self, work_id: WorkId, event: str, number: int | None = None, **changes: Any) -> None:
        work = changed(self._rows[work_id], **changes)
        self._rows[work_id] = work
        details = {"attempt": number or len(work.attempts) or None, "status": work.status.value}
        self._world.log(f"{self._noun}:{work_id}", event, **details)


def open_attempt(work: Training | Evaluation) -> Attempt | None:
    """An attempt is open until it has an end; only the newest can be."""
    newest = work.attempts[-1] if work.attempts else None
    return newest if newest is not None and newest.ended_at is None else None


def _has_failed(work: Evaluation) -> bool:
    return any(past.ended_at is not None for past in work.attempts if past.number >= work.counted_from)


def _ended(attempt: Attempt, end: AttemptEnd) -> Attempt:
    return changed(attempt, **dict(end) | {"started_at": end.started_at or attempt.started_at})


@transactional
class MemoryTrainings:
    def __init__(self, world: World) -> None:
        self._world = world
        self._desk = _Desk(world, world.trainings, "training")

    def load(self, training_id: TrainingId) -> Training:
        return self._desk.load(training_id)

    def dispatched(self, training_id: TrainingId) -> int:
        return self._desk.dispatched(training_id)

    def begin(self, training_id: TrainingId, lease: Lease) -> Attempt:
        return self._desk.begin(training_id, lease)

    def started(self, training_id: TrainingId, token: int, started_at: datetime) -> None:
        self._desk.started(training_id, token, started_at)

    def end_attempt(self, training_id: TrainingId, token: int, end: AttemptEnd) -> None:
        self._desk.end_attempt(training_id, token, end)

    def record(self, training_id: TrainingId, token: int, end: AttemptEnd | None, outcome: TrainingOutcome) -> None:
        if self._desk.record(training_id, token, end, outcome=outcome) and isinstance(outcome, Trained):
            self._queue_evaluation(training_id, outcome.checkpoint)

    def _queue_evaluation(self, training_id: TrainingId, checkpoint: ArtifactRef) -> None:
        evaluation = Evaluation(
            evaluation_id=evaluation_id(training_id, 1),
            challenge_id=self.load(training_id).challenge_id,
            training_id=training_id,
            checkpoint=checkpoint,
            purpose=EvaluationPurpose.TOURNAMENT,
            status=WorkStatus.QUEUED,
        )
        _queue(self._world, evaluation)


@transactional
class MemoryEvaluations:
    def __init__(self, world: World) -> None:
        self._world = world
        self._desk = _Desk(world, world.evaluations, "evaluation")

    def load(self, evaluation_id: EvaluationId) -> Evaluation:
        return self._desk.load(evaluation_id)

    def request(
        self,
        challenge_id: ChallengeId,
        checkpoint: ArtifactRef,
        purpose: EvaluationPurpose,
        training_id: TrainingId | None,
        repeats: EvaluationId | None,
        subject: str,
    ) -> Evaluation:
        self._check_request(challenge_id, purpose, training_id, repeats)
        evaluation = Evaluation(
            evaluation_id=self._next_id(subject),
            challenge_id=challenge_id,
            training_id=training_id,
            checkpoint=checkpoint,
            purpose=purpose,
            repeats=repeats,
            status=WorkStatus.QUEUED,
        )
        _queue(self._world, evaluation)
        return evaluation

    def dispatched(self, evaluation_id: EvaluationId) -> int:
        return self._desk.dispatched(evaluation_id)

    def begin(self, evaluation_id: EvaluationId, lease: Lease, most: int = 1) -> list[Attempt]:
        is_new = open_attempt(self.load(evaluation_id)) is None
        run = self._desk.begin(evaluation_id, lease).run_name
        for other in self._waiting_with(evaluation_id)[: most - 1] if is_new else []:
            self._desk.begin(other, lease, run)
        return [self._desk.begin(member, lease) for member in self._in_run(run)]

    def _waiting_with(self, evaluation_id: EvaluationId) -> list[EvaluationId]:
        """Of its challenge and purpose, in the queue; none where one of the two has a failed attempt that counts."""
        mine = self.load(evaluation_id)
        alike = (
            other
            for other in self._world.evaluations.values()
            if (other.challenge_id, other.purpose) == (mine.challenge_id, mine.purpose)
            and other.status is WorkStatus.QUEUED
        )
        return sorted(other.evaluation_id for other in alike if not _has_failed(mine) and not _has_failed(other))

    def _in_run(self, run_name: str) -> list[EvaluationId]:
        """With an open attempt in this container run; the one that it is named after comes last."""
        opened = ((e.evaluation_id, open_attempt(e)) for e in self._world.evaluations.values())
        members = [(a.shared_run is None, id_) for id_, a in opened if a is not None and a.run_name == run_name]
        return [id_ for _, id_ in sorted(members)]

    def started(self, evaluation_id: EvaluationId, token: int, started_at: datetime) -> None:
        self._desk.started(evaluation_id, token, started_at)

    def end_attempt(self, evaluation_id: EvaluationId, token: int, end: AttemptEnd) -> None:
        self._desk.end_attempt(evaluation_id, token, end)

    def record(
        self,
        evaluation_id: EvaluationId,
        token: int,
        end: AttemptEnd | None,
        outcome: EvaluationOutcome,
        report: ArtifactRef | None,
    ) -> None:
        self._desk.record(evaluation_id, token, end, outcome=outcome, report=report)

    def _check_request(
        self,
        challenge_id: ChallengeId,
        purpose: EvaluationPurpose,
        training_id: TrainingId | None,
        repeats: EvaluationId | None,
    ) -> None:
        training = self._world.trainings.get(training_id) if training_id else None
        if challenge_id not in self._world.challenges:
            raise StaleStateError(f"there is no challenge {challenge_id} to evaluate on")
        if training_id and (training is None or training.challenge_id != challenge_id):
            raise StaleStateError(f"training {training_id} is not one of challenge {challenge_id}")
        if repeats and repeats not in self._world.evaluations:
            raise StaleStateError(f"there is no evaluation {repeats} to repeat")
        if purpose is EvaluationPurpose.TOURNAMENT and training is None:
            raise StaleStateError("only a training's checkpoint is evaluated for a tournament")

    def _next_id(self, subject: str) -> EvaluationId:
        ids = (evaluation_id(subject, number) for number in count(1))
        return next(name for name in ids if name not in self._world.evaluations)


def _queue(world: World, evaluation: Evaluation) -> None:
    world.evaluations[evaluation.evaluation_id] = evaluation
    world.log(f"evaluation:{evaluation.evaluation_id}", "queued", purpose=evaluation.purpose.value)
