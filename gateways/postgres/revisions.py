"""Revised results within one transaction: rounds that no longer count, titles written anew, who is disqualified."""

from core.errors import Fault
from core.evaluation import Refused
from core.ids import Contestant, Hotkey, TournamentId
from core.tournament import RoundResult, TitleResult
from core.training import TrainingFailed
from core.value import Frozen
from gateways.postgres.database import Transaction, as_stored, jsonb
from gateways.postgres.events import log
from gateways.postgres.queries import queries

_SQL = queries("revisions")
SUPERSEDED = "the round was superseded"


def through(transaction: Transaction, result: RoundResult) -> set[Contestant]:
    """Who goes through by what is recorded of the round."""
    rows = transaction.execute(_SQL["through"], {"round_id": result.round_id})
    return {Contestant(row["contestant"]) for row in rows}


def supersede_after(transaction: Transaction, tournament_id: TournamentId, number: int) -> list[str]:
    """Let the rounds after one count for nothing, and end what is open of their work. Return their ids."""
    values = {"tournament_id": tournament_id, "number": number}
    rounds = [row["round_id"] for row in transaction.execute(_SQL["supersede"], values)]
    trainings = _end(transaction, "end_trainings", rounds, TrainingFailed(reason=SUPERSEDED, fault=Fault.PLATFORM))
    evaluations = _end(transaction, "end_evaluations", rounds, Refused(reason=SUPERSEDED, fault=Fault.PLATFORM))
    subjects = {"subjects": [*trainings, *evaluations], "reason": SUPERSEDED}
    transaction.execute(_SQL["end_attempts"], subjects)
    for noun, ended in (("training", trainings), ("evaluation", evaluations)):
        for work_id in ended:
            log(transaction, f"{noun}:{work_id}", "superseded")
    return rounds


def _end(transaction: Transaction, query: str, rounds: list[str], outcome: Frozen) -> list[str]:
    values = {"rounds": rounds, "outcome": jsonb(outcome)}
    return [row["work_id"] for row in transaction.execute(_SQL[query], values)]


def title_of(transaction: Transaction, tournament_id: TournamentId, revision: int) -> object:
    """As it is stored; None when there is no such revision."""
    row = transaction.execute(_SQL["title"], {"tournament_id": tournament_id, "revision": revision}).fetchone()
    return row["title"] if row else None


def write_title(transaction: Transaction, tournament_id: TournamentId, title: TitleResult, revision: int) -> None:
    values = {"tournament_id": tournament_id, "title": jsonb(title), "revision": revision}
    transaction.execute(_SQL["write_title"], values)
    if revision > 1:
        transaction.execute(_SQL["revise_title"], values)


def disqualified(transaction: Transaction, tournament_id: TournamentId) -> dict[Hotkey, str]:
    rows = transaction.execute(_SQL["disqualified"], {"tournament_id": tournament_id})
    return {Hotkey(row["hotkey"]): row["reason"] for row in rows}


def disqualify(transaction: Transaction, tournament_id: TournamentId, hotkey: Hotkey, reason: str) -> None:
    values = {"tournament_id": tournament_id, "hotkey": hotkey, "reason": as_stored(reason)}
    transaction.execute(_SQL["disqualify"], values)
