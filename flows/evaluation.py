"""Measure one checkpoint on one challenge's hidden test set."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from core.challenge import Challenge, ChallengeData
from core.compute import ContainerSpec, ContainerStatus, Ending, Lease, Mount
from core.errors import Fault, LeaseHeldError
from core.evaluation import Evaluation, EvaluationReport, EvaluationSpec, Refused, definition_of
from core.ids import EvaluationId, tournament_of
from core.training import Attempt, WorkStatus
from flows.attempts import GRACE_SECONDS, attempt_end, earlier_attempts, ended, given_up
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
from tasks.leases import lease, presence
from tasks.tournaments import load_tournament
from tournament.attempts import GiveUp, judge_evaluation_attempt
from tournament.rules import TournamentRules

EVALUATOR = "evaluator-text"


@flow(name="evaluate", flow_run_name="evaluate-{evaluation_id}")
def evaluate(evaluation_id: str) -> State[None]:
    """Measure until there is an outcome; killed at any line, a successor goes on with the same container run."""
    evaluation = load_evaluation(EvaluationId(evaluation_id))
    if evaluation.status is WorkStatus.DONE:
        return ended(evaluation.outcome)
    state = load_tournament(tournament_of(evaluation.challenge_id))
    challenge = next(c for c in state.challenges if c.challenge_id == evaluation.challenge_id)
    rules = TournamentRules.model_validate(state.tournament.rules)
    try:
        with presence(evaluation_id):
            job = bring(evaluation, challenge)
            while not attempt_once(evaluation.evaluation_id, job, rules):
                get_run_logger().info("evaluation %s: another attempt", evaluation_id)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run measures %s: %s", evaluation_id, elsewhere)
    return ended(load_evaluation(evaluation.evaluation_id).outcome)


@dataclass(frozen=True)
class Job:
    """An evaluation's job folder; brought before it takes a slot, so that no slot waits for it."""

    spec: EvaluationSpec
    image: str
    inputs: tuple[Mount, ...]


def bring(evaluation: Evaluation, challenge: Challenge) -> Job:
    """The only container that ever sees the test rows gets them here."""
    data = data_of(challenge)
    spec = evaluation_spec(evaluation, challenge)
    sources = {
        "/job/spec.json": write_spec(spec),
        spec.base_model: fetch(data.base_model),
        spec.checkpoint: fetch(evaluation.checkpoint),
        spec.test: fetch(data.test),
    }
    inputs = tuple(Mount(source=str(source), target=target) for target, source in sources.items())
    return Job(spec=spec, image=trusted_image(EVALUATOR), inputs=inputs)


def attempt_once(evaluation_id: EvaluationId, job: Job, rules: TournamentRules) -> bool:
    """One attempt under a slot of its own; True when the evaluation has its outcome."""
    with lease(evaluation_id, slots=1, seconds=rules.evaluation_seconds + GRACE_SECONDS) as held:
        evaluation = load_evaluation(evaluation_id)
        return evaluation.status is WorkStatus.DONE or attempt(evaluation, job, rules, held)


def attempt(evaluation: Evaluation, job: Job, rules: TournamentRules, held: Lease) -> bool:
    """From claim to record."""
    begun = begin_evaluation(evaluation.evaluation_id, held)
    container = evaluation_container(job, begun, rules, held)
    status = run_container(container, partial(evaluation_started, evaluation.evaluation_id, held.token))
    report = _report(job.spec, status)
    if isinstance(report, str):
        is_over = _end_attempt(evaluation, status, report, earlier_attempts(evaluation, begun), rules, held)
    else:
        is_over = _record(evaluation, job.spec, status, report, held)
    remove_container(container.name)
    return is_over


def data_of(challenge: Challenge) -> ChallengeData:
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    return challenge.data


def evaluation_spec(evaluation: Evaluation, challenge: Challenge) -> EvaluationSpec:
    """Everything that the measurement depends on; the same for whoever measures."""
    plan, data = challenge.plan, data_of(challenge)
    return EvaluationSpec(
        evaluation_id=evaluation.evaluation_id,
        definition=definition_of(plan.kind, plan.kl_coefficient),
        kind=plan.kind,
        dataset_type=data.dataset_type,
        kl_coefficient=plan.kl_coefficient,
        seed=plan.seed,
        base_sha256=data.base_model.sha256,
        checkpoint_sha256=evaluation.checkpoint.sha256,
        test_sha256=data.test.sha256,
    )


def evaluation_container(job: Job, attempt: Attempt, rules: TournamentRules, held: Lease) -> ContainerSpec:
    return ContainerSpec(
        name=attempt.run_name,
        image=job.image,
        command=("/job",),
        inputs=job.inputs,
        output_target=job.spec.outputs,
        devices=tuple(slot.device for slot in held.slots if slot.device),
        limits=slot_limits(rules.evaluation_seconds, len(held.slots)),
    )


def _report(spec: EvaluationSpec, status: ContainerStatus) -> EvaluationReport | str:
    if status.ending is not Ending.FINISHED:
        return f"{status.ending}: {status.detail}"
    return read_report(spec, Path(status.output_path))


def _record(
    evaluation: Evaluation, spec: EvaluationSpec, status: ContainerStatus, report: EvaluationReport, held: Lease
) -> bool:
    stored = put_report(spec, Path(status.output_path))
    end = attempt_end(status, None, put_log(Path(status.log_path)))
    record_evaluation(evaluation.evaluation_id, held.token, end, report.outcome, stored)
    return True


def _end_attempt(
    evaluation: Evaluation,
    status: ContainerStatus,
    problem: str,
    earlier: list[Attempt],
    rules: TournamentRules,
    held: Lease,
) -> bool:
    end = attempt_end(status, Fault.PLATFORM, put_log(Path(status.log_path))).model_copy(update={"detail": problem})
    verdict = judge_evaluation_attempt(status.ending or Ending.LOST, problem, earlier, rules)
    if isinstance(verdict, GiveUp):
        outcome = Refused(reason=given_up(verdict.reason), fault=Fault.PLATFORM)
        record_evaluation(evaluation.evaluation_id, held.token, end, outcome, None)
    else:
        end_evaluation_attempt(evaluation.evaluation_id, held.token, end)
    return isinstance(verdict, GiveUp)
