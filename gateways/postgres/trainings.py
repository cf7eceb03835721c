"""Trainings: one contestant's script on one challenge."""

from datetime import datetime

from core.compute import Lease
from core.evaluation import EvaluationPurpose
from core.ids import TrainingId
from core.training import Attempt, AttemptEnd, Trained, Training, TrainingOutcome
from gateways.postgres.database import Database, Transaction, jsonb, read
from gateways.postgres.evaluations import queue_evaluation
from gateways.postgres.queries import queries
from gateways.postgres.work import WorkLife, attempts_by_subject

_SQL = queries("trainings")


class PostgresTrainings:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._life = WorkLife(database, "training")

    def load(self, training_id: TrainingId) -> Training:
        row, attempts = self._life.load(training_id)
        return read(Training, row, attempts=attempts)

    def dispatched(self, training_id: TrainingId) -> int:
        return self._life.dispatched(training_id)

    def begin(self, training_id: TrainingId, lease: Lease) -> Attempt:
        return self._life.begin(training_id, lease)

    def started(self, training_id: TrainingId, token: int, started_at: datetime) -> None:
        self._life.started(training_id, token, started_at)

    def end_attempt(self, training_id: TrainingId, token: int, end: AttemptEnd) -> None:
        self._life.end_attempt(training_id, token, end)

    def record(self, training_id: TrainingId, token: int, end: AttemptEnd | None, outcome: TrainingOutcome) -> None:
        with self._database.transaction() as transaction:
            training = self._life.guard(transaction, training_id, token)
            if self._life.is_recorded(training, outcome=outcome):
                return
            self._life.close_attempt(transaction, training_id, end)
            values = {"training_id": training_id, "token": token, "outcome": jsonb(outcome)}
            transaction.execute(_SQL["record"], values)
            if isinstance(outcome, Trained):
                queue_evaluation(
                    transaction,
                    subject=training_id,
                    challenge_id=training["challenge_id"],
                    training_id=training_id,
                    checkpoint=outcome.checkpoint,
                    purpose=EvaluationPurpose.TOURNAMENT,
                )
            self._life.log(transaction, training_id, "recorded", **outcome.model_dump(exclude={"checkpoint"}))


def trainings_of(transaction: Transaction, tournament_id: str) -> tuple[Training, ...]:
    """In the order of the draw."""
    values = {"tournament_id": tournament_id}
    attempts = attempts_by_subject(transaction.execute(_SQL["attempts_of_tournament"], values))
    rows = transaction.execute(_SQL["of_tournament"], values).fetchall()
    return tuple(read(Training, row, attempts=attempts[row["training_id"]]) for row in rows)
