"""Measure checkpoints on one challenge's hidden test set; those that wait together are measured by one container run.

They share the base model in memory and its answers, and nothing else: each has its own job, report and outcome.
"""

import time
from collections.abc import Sequence
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
    begin_evaluations,
    end_evaluation_attempt,
    evaluations_started,
    load_evaluation,
    put_report,
    read_report,
    record_evaluation,
    write_spec,
)
from tasks.leases import exclusion, lease, presence, wait_for_turn
from tasks.tournaments import load_tournament
from tournament.attempts import GiveUp, judge_evaluation_attempt
from tournament.rules import TournamentRules

EVALUATOR = "evaluator-text"
OUTPUTS = "/job/outputs"
MOST_TOGETHER = 8
"""Evaluations in one container run. With more, little of the base's cost is left to share, and a failure costs more."""
HELD_SECONDS = 1.0


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
            bring(evaluation, challenge)
            take_turns(evaluation, challenge, rules)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run measures %s: %s", evaluation_id, elsewhere)
    return ended(load_evaluation(evaluation.evaluation_id).outcome)


def take_turns(evaluation: Evaluation, challenge: Challenge, rules: TournamentRules) -> None:
    """One flow run of the challenge at a time measures, for all that wait; return when ours has its outcome."""
    turn = f"measuring/{evaluation.challenge_id}/{evaluation.purpose}"
    while wait_for_turn(turn, evaluation.evaluation_id):
        try:
            with exclusion(turn):
                attempt_once(evaluation.evaluation_id, challenge, rules)
        except LeaseHeldError as elsewhere:
            get_run_logger().info("%s waits: %s", evaluation.evaluation_id, elsewhere)
            time.sleep(HELD_SECONDS)


@dataclass(frozen=True)
class Job:
    """An evaluation's job folder."""

    spec: EvaluationSpec
    image: str
    inputs: tuple[Mount, ...]

    @property
    def folder(self) -> str:
        return job_folder(EvaluationId(self.spec.evaluation_id))


def bring(evaluation: Evaluation, challenge: Challenge) -> Job:
    """Before it takes a slot, so that no slot waits for it. No other container ever sees the test rows."""
    data = data_of(challenge)
    spec = evaluation_spec(evaluation, challenge)
    sources = {
        f"{job_folder(evaluation.evaluation_id)}/spec.json": write_spec(spec),
        spec.base_model: fetch(data.base_model),
        spec.checkpoint: fetch(evaluation.checkpoint),
        spec.test: fetch(data.test),
    }
    inputs = tuple(Mount(source=str(source), target=target) for target, source in sources.items())
    return Job(spec=spec, image=trusted_image(EVALUATOR), inputs=inputs)


def attempt_once(evaluation_id: EvaluationId, challenge: Challenge, rules: TournamentRules) -> None:
    """One attempt under the slot of its run, which a dead flow run may have left to us."""
    newest = load_evaluation(evaluation_id).attempts[-1:]
    owner = newest[0].run_owner if newest and newest[0].ended_at is None else evaluation_id
    with lease(owner, slots=1, seconds=MOST_TOGETHER * rules.evaluation_seconds + GRACE_SECONDS) as held:
        if load_evaluation(evaluation_id).status is not WorkStatus.DONE:
            attempt(evaluation_id, challenge, rules, held)


def attempt(evaluation_id: EvaluationId, challenge: Challenge, rules: TournamentRules, held: Lease) -> None:
    """From claim to record, of all that one run measures; whoever the run is named after comes last."""
    begun = begin_evaluations(evaluation_id, held, MOST_TOGETHER)
    evaluations = [load_evaluation(EvaluationId(each.subject_id)) for each in begun]
    jobs = [bring(evaluation, challenge) for evaluation in evaluations]
    container = evaluation_container(begun[-1].run_name, jobs, rules, held)
    status = run_container(container, partial(evaluations_started, [e.evaluation_id for e in evaluations], held.token))
    for evaluation, job, each in zip(evaluations, jobs, begun, strict=True):
        conclude(evaluation, job.spec, status, earlier_attempts(evaluation, each), rules, held)
    remove_container(container.name)


def data_of(challenge: Challenge) -> ChallengeData:
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    return challenge.data


def job_folder(evaluation_id: EvaluationId) -> str:
    return f"/job/{evaluation_id}"


def evaluation_spec(evaluation: Evaluation, challenge: Challenge) -> EvaluationSpec:
    """Everything that the measurement depends on; the same for whoever measures, and whatever else."""
    plan, data = challenge.plan, data_of(challenge)
    return EvaluationSpec(
        evaluation_id=evaluation.evaluation_id,
        definition=definition_of(plan.kind, plan.kl_coefficient),
        kind=plan.kind,
        checkpoint=f"{job_folder(evaluation.evaluation_id)}/checkpoint",
        outputs=f"{OUTPUTS}/{evaluation.evaluation_id}",
        dataset_type=data.dataset_type,
        kl_coefficient=plan.kl_coefficient,
        seed=plan.seed,
        base_sha256=data.base_model.sha256,
        checkpoint_sha256=evaluation.checkpoint.sha256,
        test_sha256=data.test.sha256,
    )


def evaluation_container(name: str, jobs: Sequence[Job], rules: TournamentRules, held: Lease) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image=jobs[0].image,
        command=tuple(job.folder for job in jobs),
        inputs=tuple(dict.fromkeys(mount for job in jobs for mount in job.inputs)),
        output_target=OUTPUTS,
        devices=tuple(slot.device for slot in held.slots if slot.device),
        limits=slot_limits(len(jobs) * rules.evaluation_seconds, len(held.slots)),
    )


def conclude(
    evaluation: Evaluation,
    spec: EvaluationSpec,
    status: ContainerStatus,
    earlier: list[Attempt],
    rules: TournamentRules,
    held: Lease,
) -> None:
    """A whole report counts, whatever became of the run after it."""
    report = read_report(spec, Path(status.output_path))
    if isinstance(report, EvaluationReport):
        stored = put_report(spec, Path(status.output_path))
        end = attempt_end(status, None, put_log(Path(status.log_path)))
        record_evaluation(evaluation.evaluation_id, held.token, end, report.outcome, stored)
    elif status.ending is Ending.FINISHED:
        _end_attempt(evaluation, status, report, earlier, rules, held)
    else:
        _end_attempt(evaluation, status, f"{status.ending}: {status.detail}", earlier, rules, held)


def _end_attempt(
    evaluation: Evaluation,
    status: ContainerStatus,
    problem: str,
    earlier: list[Attempt],
    rules: TournamentRules,
    held: Lease,
) -> None:
    end = attempt_end(status, Fault.PLATFORM, put_log(Path(status.log_path))).model_copy(update={"detail": problem})
    verdict = judge_evaluation_attempt(status.ending or Ending.LOST, problem, earlier, rules)
    if isinstance(verdict, GiveUp):
        outcome = Refused(reason=given_up(verdict.reason), fault=Fault.PLATFORM)
        record_evaluation(evaluation.evaluation_id, held.token, end, outcome, None)
    else:
        end_evaluation_attempt(evaluation.evaluation_id, held.token, end)
