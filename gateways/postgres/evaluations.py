"""Evaluations: one checkpoint measured on one challenge."""

from datetime import datetime

from core.artifacts import ArtifactRef
from core.compute import Lease
from core.evaluation import Evaluation, EvaluationOutcome, EvaluationPurpose
from core.ids import ChallengeId, EvaluationId, TrainingId
from core.training import Attempt, AttemptEnd
from gateways.postgres.database import Database, Transaction, jsonb, read
from gateways.postgres.events import log
from gateways.postgres.queries import queries
from gateways.postgres.work import WorkLife, attempts_by_subject

_SQL = queries("evaluations")


class PostgresEvaluations:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._life = WorkLife(database, "evaluation")

    def load(self, evaluation_id: EvaluationId) -> Evaluation:
        row, attempts = self._life.load(evaluation_id)
        return read(Evaluation, row, attempts=attempts)

    def request(
        self,
        challenge_id: ChallengeId,
        checkpoint: ArtifactRef,
        purpose: EvaluationPurpose,
        training_id: TrainingId | None,
        repeats: EvaluationId | None,
        subject: str,
    ) -> Evaluation:
        with self._database.transaction() as transaction:
            return queue_evaluation(transaction, subject, challenge_id, training_id, checkpoint, purpose, repeats)

    def dispatched(self, evaluation_id: EvaluationId) -> int:
        return self._life.dispatched(evaluation_id)

    def begin(self, evaluation_id: EvaluationId, lease: Lease, most: int = 1) -> list[Attempt]:
        with self._database.transaction() as transaction:
            self._life.unfinished(transaction, evaluation_id)
            is_new = self._life.open_attempt(transaction, evaluation_id) is None
            run = self._life.take(transaction, evaluation_id, lease).run_name
            if is_new:
                values = {"evaluation_id": evaluation_id, "most": most - 1}
                for row in transaction.execute(_SQL["waiting_with"], values).fetchall():
                    self._life.take(transaction, row["evaluation_id"], lease, run)
            members = transaction.execute(_SQL["in_run"], {"run_name": run}).fetchall()
            return [self._life.take(transaction, row["evaluation_id"], lease) for row in members]

    def started(self, evaluation_id: EvaluationId, token: int, started_at: datetime) -> None:
        self._life.started(evaluation_id, token, started_at)

    def end_attempt(self, evaluation_id: EvaluationId, token: int, end: AttemptEnd) -> None:
        self._life.end_attempt(evaluation_id, token, end)

    def record(
        self,
        evaluation_id: EvaluationId,
        token: int,
        end: AttemptEnd | None,
        outcome: EvaluationOutcome,
        report: ArtifactRef | None,
    ) -> None:
        with self._database.transaction() as transaction:
            evaluation = self._life.guard(transaction, evaluation_id, token)
            if self._life.is_recorded(evaluation, outcome=outcome, report=report):
                return
            self._life.close_attempt(transaction, evaluation_id, end)
            result = {"outcome": jsonb(outcome), "report": jsonb(report)}
            transaction.execute(_SQL["record"], {"evaluation_id": evaluation_id, "token": token} | result)
            self._life.log(transaction, evaluation_id, "recorded", **outcome.model_dump())


def queue_evaluation(
    transaction: Transaction,
    subject: str,
    challenge_id: ChallengeId,
    training_id: TrainingId | None,
    checkpoint: ArtifactRef,
    purpose: EvaluationPurpose,
    repeats: EvaluationId | None = None,
) -> Evaluation:
    """Write the queued evaluation `<subject>-e<next number>` and its event."""
    values = {"subject": subject, "challenge_id": challenge_id, "training_id": training_id, "repeats": repeats}
    transaction.execute(_SQL["name_in_turn"], values)
    row = transaction.execute(_SQL["queue"], values | {"checkpoint": jsonb(checkpoint), "purpose": purpose}).fetchall()[
        0
    ]
    log(transaction, f"evaluation:{row['evaluation_id']}", "queued", purpose=purpose)
    return read(Evaluation, row)


def evaluations_of(transaction: Transaction, tournament_id: str) -> tuple[Evaluation, ...]:
    """In the order of the draw, a training's own by number."""
    values = {"tournament_id": tournament_id}
    attempts = attempts_by_subject(transaction.execute(_SQL["attempts_of_tournament"], values))
    rows = transaction.execute(_SQL["of_tournament"], values).fetchall()
    return tuple(read(Evaluation, row, attempts=attempts[row["evaluation_id"]]) for row in rows)
