"""Measure again: a recorded evaluation from its artifacts, or a model that nobody submitted."""

from pathlib import Path

from prefect import flow, get_run_logger

from core.evaluation import Evaluation
from core.ids import ChallengeId, EvaluationId
from flows.evaluation import evaluate
from tasks.artifacts import store_checkpoint
from tasks.dispatch import evaluation_work, see_through
from tasks.evaluations import load_evaluation, request_evaluation
from tasks.telling import tell_difference
from tournament.scoring import difference


@flow(name="re-evaluate", flow_run_name="re-evaluate-{evaluation_id}{challenge_id}")
def reevaluate(evaluation_id: str = "", model: str = "", challenge_id: str = "") -> str:
    """Measure by the same flow as a tournament's evaluation; the new row supersedes nothing by itself.

    Give `evaluation_id` alone, or `model` (a folder of this machine) with `challenge_id`.
    Returns the new evaluation's id.
    """
    if bool(evaluation_id) == bool(model and challenge_id):
        raise ValueError("name either evaluation_id=…, or model=<folder> together with challenge_id=…")
    old = load_evaluation(EvaluationId(evaluation_id)) if evaluation_id else None
    new = _repeat(old) if old else _foreign(Path(model), ChallengeId(challenge_id))
    see_through(evaluation_work(new.evaluation_id, evaluate, queue="re-evaluation"))
    report(old, load_evaluation(new.evaluation_id))
    return new.evaluation_id


def _repeat(old: Evaluation) -> Evaluation:
    subject = old.training_id or old.evaluation_id.rsplit("-e", 1)[0]
    return request_evaluation(old.challenge_id, old.checkpoint, old.training_id, old.evaluation_id, subject)


def _foreign(model: Path, challenge_id: ChallengeId) -> Evaluation:
    checkpoint = store_checkpoint(model)
    return request_evaluation(challenge_id, checkpoint, None, None, f"{challenge_id}-model-{checkpoint.sha256[:12]}")


def report(old: Evaluation | None, new: Evaluation) -> None:
    is_equal = old is not None and difference(old, new).is_equal
    tell_difference(old, new, is_equal)
    verdict = "" if old is None else f"; {'equal to' if is_equal else 'differs from'} {old.evaluation_id}"
    get_run_logger().info("%s: %s%s", new.evaluation_id, new.outcome, verdict)
