"""Measure one checkpoint on one challenge's hidden test set."""

from functools import partial
from pathlib import Path

from prefect import flow, get_run_logger

from core.challenge import Challenge
from core.compute import ContainerSpec, ContainerStatus, Ending, Lease, Mount
from core.errors import Fault, LeaseHeldError
from core.evaluation import Evaluation, EvaluationReport, EvaluationSpec
from core.ids import EvaluationId, tournament_of
from core.training import Attempt, WorkStatus
from flows.attempts import GRACE_SECONDS, PlatformFailure, attempt_end
from tasks.artifacts import fetch, put_log
from tasks.containers import remove_container, run_container, slot_limits, trusted_image
from tasks.evaluations import (
    begin_evaluation,
    end_evaluation_attempt,
    evaluation_started,
    load_evaluation,
    put_report,
    read_report,
    record_evaluation,
    write_spec,
)
from tasks.leases import lease
from tasks.tournaments import load_tournament
from tournament.attempts import GiveUp, judge_evaluation_attempt
from tournament.rules import TournamentRules

EVALUATOR = "evaluator-text"


@flow(name="evaluate", flow_run_name="evaluate-{evaluation_id}")
def evaluate(evaluation_id: str) -> None:
    """Measure until there is an outcome; killed at any line, a successor goes on with the same container run."""
    evaluation = load_evaluation(EvaluationId(evaluation_id))
    if evaluation.status is WorkStatus.DONE:
        return
    state = load_tournament(tournament_of(evaluation.challenge_id))
    challenge = next(c for c in state.challenges if c.challenge_id == evaluation.challenge_id)
    rules = TournamentRules.model_validate(state.tournament.rules)
    try:
        with lease(evaluation_id, slots=1, seconds=rules.evaluation_seconds + GRACE_SECONDS) as held:
            while not attempt_once(load_evaluation(evaluation.evaluation_id), challenge, rules, held):
                get_run_logger().info("evaluation %s: another attempt", evaluation_id)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run measures %s: %s", evaluation_id, elsewhere)


def attempt_once(evaluation: Evaluation, challenge: Challenge, rules: TournamentRules, held: Lease) -> bool:
    """One attempt from claim to record; True when the evaluation has its outcome."""
    if evaluation.status is WorkStatus.DONE:
        return True
    attempt = begin_evaluation(evaluation.evaluation_id, held)
    spec = evaluation_spec(evaluation, challenge)
    container = evaluation_container(spec, evaluation, challenge, attempt, rules, held)
    status = run_container(container, partial(evaluation_started, evaluation.evaluation_id, held.token))
    report = _report(spec, status)
    earlier = [past for past in evaluation.attempts if past.number < attempt.number]
    if isinstance(report, str):
        _end_attempt(evaluation, status, report, earlier, rules, held)
    else:
        _record(evaluation, spec, status, report, held)
    remove_container(container.name)
    return isinstance(report, EvaluationReport)


def evaluation_spec(evaluation: Evaluation, challenge: Challenge) -> EvaluationSpec:
    """Everything that the measurement depends on; the same for whoever measures."""
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    return EvaluationSpec(
        evaluation_id=evaluation.evaluation_id,
        kind=challenge.plan.kind,
        dataset_type=challenge.data.dataset_type,
        base_sha256=challenge.data.base_model.sha256,
        checkpoint_sha256=evaluation.checkpoint.sha256,
        test_sha256=challenge.data.test.sha256,
    )


def evaluation_container(
    spec: EvaluationSpec,
    evaluation: Evaluation,
    challenge: Challenge,
    attempt: Attempt,
    rules: TournamentRules,
    held: Lease,
) -> ContainerSpec:
    """Our evaluator's container: the only one that ever sees the test rows."""
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    sources = {
        "/job/spec.json": write_spec(spec),
        spec.base_model: fetch(challenge.data.base_model),
        spec.checkpoint: fetch(evaluation.checkpoint),
        spec.test: fetch(challenge.data.test),
    }
    return ContainerSpec(
        name=attempt.run_name,
        image=trusted_image(EVALUATOR),
        command=("/job",),
        inputs=tuple(Mount(source=str(source), target=target) for target, source in sources.items()),
        output_target=spec.outputs,
        devices=tuple(slot.device for slot in held.slots if slot.device),
        limits=slot_limits(rules.evaluation_seconds, len(held.slots)),
    )


def _report(spec: EvaluationSpec, status: ContainerStatus) -> EvaluationReport | str:
    if status.ending is not Ending.FINISHED:
        return f"{status.ending}: {status.detail}"
    return read_report(spec, Path(status.output_path))


def _record(
    evaluation: Evaluation, spec: EvaluationSpec, status: ContainerStatus, report: EvaluationReport, held: Lease
) -> None:
    stored = put_report(spec, Path(status.output_path))
    end = attempt_end(status, None, put_log(Path(status.log_path)))
    record_evaluation(evaluation.evaluation_id, held.token, end, report.outcome, stored)


def _end_attempt(
    evaluation: Evaluation,
    status: ContainerStatus,
    problem: str,
    earlier: list[Attempt],
    rules: TournamentRules,
    held: Lease,
) -> None:
    end = attempt_end(status, Fault.PLATFORM, put_log(Path(status.log_path)))
    end_evaluation_attempt(evaluation.evaluation_id, held.token, end.model_copy(update={"detail": problem}))
    verdict = judge_evaluation_attempt(status.ending or Ending.LOST, problem, earlier, rules)
    if isinstance(verdict, GiveUp):
        raise PlatformFailure(f"evaluation {evaluation.evaluation_id}: our side failed too often: {verdict.reason}")
