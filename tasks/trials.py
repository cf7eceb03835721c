"""Trials of challenges: asked for, stored before they begin, read when they are over."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from prefect import task
from pydantic import TypeAdapter, ValidationError

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import ChallengeData, ChallengePlan, RewardFunction
from core.compute import ContainerSpec, ContainerStatus, Ending, Mount
from core.errors import PrerequisiteError
from core.ids import trial_id
from core.rewards.drafting import draft
from core.value import canonical_json
from gateways.wiring import ports
from preparation.trial import RewardsTrial, Trial, trial_of
from tasks.artifacts import fetch, keep
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
    if isinstance(trial, RewardsTrial):
        trial = trial.on_rows(json.loads(ports().artifacts.get_bytes(data.train)))
    return ports().artifacts.put_bytes(ArtifactKind.TRIAL, canonical_json(trial))


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
    trial: Trial = TypeAdapter(Trial).validate_json(ports().artifacts.get_bytes(ref))
    return trial


@task(task_run_name="is-planned-{trial.trial_id}", **EFFECT)
def awaits(trial: Trial) -> bool:
    """The challenge still waits for its outcome."""
    return is_planned(trial.plan.challenge_id, trial.plan.replacement)


def job_of(trial: Trial) -> tuple[Mount, ...]:
    """The trial's files as its container mounts them."""
    sources = {
        target: fetch(held) if isinstance(held, ArtifactRef) else keep(held) for target, held in trial.files.items()
    }
    return tuple(Mount(source=str(source), target=target) for target, source in sources.items())


class Spoilt(NamedTuple):
    """A run that says nothing about the challenge; the trial has to be done again."""

    problem: str


@task(task_run_name="read-{trial.trial_id}", **EFFECT)
def read_outcome(trial: Trial, run: ContainerSpec, status: ContainerStatus) -> ChallengeData | str | Spoilt:
    """The challenge's data, or why it cannot be had; also of a trial whose time was up."""
    if status.ending not in (Ending.FINISHED, Ending.TIME_UP):
        return Spoilt(f"{status.ending}: {status.detail}")
    path = Path(status.output_path) / "report.json"
    report = path.read_bytes() if path.is_file() else None
    try:
        return trial.outcome(report, run.limits.seconds if status.ending is Ending.TIME_UP else None)
    except ValidationError as error:
        return Spoilt(f"the report of the trial is not valid: {error.errors()[0]['msg']}")
    except ValueError as error:
        return Spoilt(f"the report of the trial is not valid: {error}")


@task(task_run_name="remove-runs-{trial.trial_id}", **EFFECT)
def remove_trial_runs(trial: Trial) -> None:
    for name in ports().compute.names():
        if name.startswith(f"{trial.trial_id}-"):
            ports().compute.remove(name)
