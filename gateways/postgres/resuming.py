"""A halted tournament goes on, within one transaction: our failures are made good, or stand as they are."""

from core.ids import TournamentId
from gateways.postgres.database import Transaction
from gateways.postgres.events import log
from gateways.postgres.queries import queries

_SQL = queries("resuming")


def accept_failures(transaction: Transaction, tournament_id: TournamentId) -> None:
    """The playing round may close whatever our side failed in it."""
    transaction.execute(_SQL["accept_failures"], {"tournament_id": tournament_id})


def try_again(transaction: Transaction, tournament_id: TournamentId) -> None:
    """Failed challenges, what our side failed in the playing round, and all that is unfinished: with counts from 0."""
    values = {"tournament_id": tournament_id}
    transaction.execute(_SQL["plan_failed_challenges"], values)
    trainings = transaction.execute(_SQL["queue_trainings"], values).fetchall()
    evaluations = transaction.execute(_SQL["queue_evaluations"], values).fetchall()
    transaction.execute(_SQL["count_trainings_anew"], values)
    transaction.execute(_SQL["count_evaluations_anew"], values)
    for noun, rows in (("training", trainings), ("evaluation", evaluations)):
        for row in rows:
            log(transaction, f"{noun}:{row['work_id']}", "queued again")
