"""Try a challenge's reward functions or rows where evaluations run, before it counts as ready."""

from datetime import datetime
from itertools import count

from prefect import flow, get_run_logger

from core.artifacts import ArtifactRef
from core.challenge import ChallengeData
from core.compute import ContainerSpec, Mount
from core.errors import IntegrityError, LeaseHeldError, PrerequisiteError, StaleStateError
from flows.attempts import GRACE_SECONDS
from flows.evaluation import EVALUATOR
from preparation.trial import Trial
from tasks.challenges import record_failed, record_ready
from tasks.containers import run_container, slot_limits, trusted_image
from tasks.leases import lease, presence
from tasks.trials import Spoilt, awaits, job_of, load_trial, read_outcome, remove_trial_runs

TRIES = 3


@flow(name="try-challenge", flow_run_name="try-{challenge_id}")
def try_challenge(challenge_id: str, trial: ArtifactRef) -> None:
    """Record the challenge as ready or failed; killed at any line, a successor goes on with the same container run."""
    asked = load_trial(trial)
    try:
        with presence(asked.trial_id):
            if awaits(asked):
                conclude(asked, trial)
            remove_trial_runs(asked)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run tries %s: %s", challenge_id, elsewhere)


def conclude(trial: Trial, stored: ArtifactRef) -> None:
    """From the trial to the challenge's outcome."""
    try:
        outcome = hear(trial, stored)
    except (PrerequisiteError, IntegrityError) as error:
        outcome = str(error)
    if not awaits(trial):
        get_run_logger().info("%s has its outcome: another flow run was faster", trial.trial_id)
    elif isinstance(outcome, str):
        record_failed(trial.plan.challenge_id, outcome)
    else:
        record_ready(trial.plan.challenge_id, outcome)


def hear(trial: Trial, stored: ArtifactRef) -> ChallengeData | str:
    """What a container run on a slot of its own comes to. Raises PrerequisiteError when it fails too often."""
    image, inputs = trusted_image(EVALUATOR), job_of(trial)
    problems: list[str] = []
    with lease(trial.trial_id, slots=1, seconds=TRIES * trial.seconds + GRACE_SECONDS):
        for number in count(1):
            heard = attempt(trial, trial_container(trial, f"{stored.sha256[:12]}-a{number}", image, inputs))
            if isinstance(heard, ChallengeData | str):
                return heard
            problems += [heard.problem] if heard else []
            if len(problems) == TRIES:
                break
    raise PrerequisiteError(f"the challenge could not be tried: {problems[-1]}")


def trial_container(trial: Trial, name: str, image: str, inputs: tuple[Mount, ...]) -> ContainerSpec:
    return ContainerSpec(
        name=f"{trial.trial_id}-{name}",
        image=image,
        command=(trial.type, "/job"),
        inputs=inputs,
        output_target="/job/outputs",
        limits=slot_limits(trial.seconds, 1),
    )


def attempt(trial: Trial, run: ContainerSpec) -> ChallengeData | str | Spoilt | None:
    """The outcome, or what our side did wrong; None for a run that is gone: its outcome was taken back since."""
    try:
        status = run_container(run, _unnoted)
    except StaleStateError:
        return None
    return read_outcome(trial, run, status)


def _unnoted(_: datetime) -> None:
    """No row notes when a trial began."""
