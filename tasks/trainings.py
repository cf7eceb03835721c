"""Training rows: load, begin, end, record."""

from datetime import datetime

from prefect import task

from core.compute import Lease
from core.ids import TrainingId
from core.training import Attempt, AttemptEnd, Training, TrainingOutcome
from gateways.wiring import ports
from tasks.retrying import EFFECT


@task(task_run_name="load-{training_id}", **EFFECT)
def load_training(training_id: TrainingId) -> Training:
    return ports().trainings.load(training_id)


@task(task_run_name="begin-{training_id}", **EFFECT)
def begin_training(training_id: TrainingId, lease: Lease) -> Attempt:
    return ports().trainings.begin(training_id, lease)


def training_started(training_id: TrainingId, token: int, started_at: datetime) -> None:
    ports().trainings.started(training_id, token, started_at)


@task(task_run_name="end-attempt-{training_id}", **EFFECT)
def end_training_attempt(training_id: TrainingId, token: int, end: AttemptEnd) -> None:
    ports().trainings.end_attempt(training_id, token, end)


@task(task_run_name="record-{training_id}", **EFFECT)
def record_training(training_id: TrainingId, token: int, end: AttemptEnd | None, outcome: TrainingOutcome) -> None:
    ports().trainings.record(training_id, token, end, outcome)
