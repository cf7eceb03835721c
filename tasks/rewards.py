"""Trials of a challenge's reward functions: asked for, stored before they begin, read when they are over."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from prefect import task
from pydantic import ValidationError

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import ChallengeData, ChallengePlan, RewardFunction
from core.compute import ContainerSpec, ContainerStatus, Ending, Mount
from core.errors import PrerequisiteError
from core.ids import trial_id
from core.rewards.drafting import draft
from core.rewards.validation import ValidationReport, Verdict
from core.value import canonical_json, sha256_hex
from gateways.wiring import ports, settings
from preparation.trial import Trial, on_rows, stopped, trial_of
from tasks.dispatch import AnyFlow, Work, bounded
from tasks.outcomes import is_planned
from tasks.retrying import EFFECT


@task(task_run_name="draft-rewards-{plan.challenge_id}", **EFFECT)
def draft_rewards(plan: ChallengePlan) -> tuple[RewardFunction, ...]:
    """What a language model writes for the dataset, untried; nothing where it asks for nothing."""
    wanted, writer = plan.dataset.written_rewards, ports().writer
    if not wanted:
        return ()
    if writer is None:
        raise PrerequisiteError(
            f"dataset {plan.dataset.dataset_id} asks for written reward functions, but there is no writer: set "
            "GOD_WRITER__ENDPOINT"
        )
    return draft(writer, wanted)


@task(task_run_name="propose-{plan.challenge_id}", **EFFECT)
def propose_trial(plan: ChallengePlan, data: ChallengeData, drafts: Sequence[RewardFunction]) -> ArtifactRef | None:
    """Store what is still to be tried of a challenge made ready; None where nothing is."""
    trial = trial_of(plan, data, drafts)
    if trial is None:
        return None
    whole = on_rows(trial, json.loads(ports().artifacts.get_bytes(data.train)))
    return ports().artifacts.put_bytes(ArtifactKind.TRIAL, canonical_json(whole))


def trial_work(plan: ChallengePlan, trial: ArtifactRef, flow: AnyFlow) -> Work:
    """The challenge's row is its outcome."""
    subject = trial_id(plan.challenge_id, plan.replacement)
    asked_at, dispatches = datetime.now(UTC), count(1)
    return Work(
        subject,
        flow,
        {"challenge_id": plan.challenge_id, "trial": trial.model_dump(mode="json")},
        lambda: not is_planned(plan.challenge_id, plan.replacement),
        lambda: f"{subject}/{bounded(subject, next(dispatches))}/{asked_at:%Y%m%dT%H%M%S.%f}",
    )


@task(task_run_name="load-{ref.key}", **EFFECT)
def load_trial(ref: ArtifactRef) -> Trial:
    return Trial.model_validate_json(ports().artifacts.get_bytes(ref))


@task(task_run_name="is-planned-{trial.trial_id}", **EFFECT)
def awaits(trial: Trial) -> bool:
    """The challenge still waits for its outcome."""
    return is_planned(trial.plan.challenge_id, trial.plan.replacement)


@task(task_run_name="write-{trial.trial_id}", **EFFECT)
def write_job(trial: Trial) -> tuple[Mount, ...]:
    """The trial's spec and rows as files that its container mounts."""
    files = {"/job/spec.json": canonical_json(trial.spec), trial.spec.rows: canonical_json(trial.sample)}
    return tuple(Mount(source=str(_written(data)), target=target) for target, data in files.items())


def _written(data: bytes) -> Path:
    folder = settings().state / "specs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256_hex(data)}.json"
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(data)
    new.replace(path)
    return path


@task(task_run_name="read-{trial.trial_id}", **EFFECT)
def read_verdicts(trial: Trial, run: ContainerSpec, status: ContainerStatus) -> tuple[Verdict, ...] | str:
    """One for each function, also of a trial whose time was up; or why the trial has to be done again."""
    if status.ending not in (Ending.FINISHED, Ending.TIME_UP):
        return f"{status.ending}: {status.detail}"
    try:
        found = ValidationReport.model_validate_json((Path(status.output_path) / "report.json").read_bytes()).verdicts
    except FileNotFoundError:
        found = ()
    except ValidationError as error:
        return f"the report of the trial is not valid: {error.errors()[0]['msg']}"
    verdicts = stopped(trial, found, run.limits.seconds) if status.ending is Ending.TIME_UP else found
    if [verdict.reward_id for verdict in verdicts] != [function.reward_id for function in trial.functions]:
        return "the report of the trial is not about its functions"
    return verdicts


@task(task_run_name="remove-runs-{trial.trial_id}", **EFFECT)
def remove_trial_runs(trial: Trial) -> None:
    for name in ports().compute.names():
        if name.startswith(f"{trial.trial_id}-"):
            ports().compute.remove(name)
