"""Try a GRPO challenge's reward functions where containers run, before the challenge counts as ready."""

from datetime import datetime
from itertools import count

from prefect import flow, get_run_logger

from core.artifacts import ArtifactRef
from core.challenge import ChallengeData
from core.compute import ContainerSpec, Mount
from core.errors import IntegrityError, LeaseHeldError, PrerequisiteError, StaleStateError
from core.rewards.validation import Verdict
from flows.attempts import GRACE_SECONDS
from flows.evaluation import EVALUATOR
from preparation.trial import Trial, concluded
from tasks.challenges import record_failed, record_ready
from tasks.containers import run_container, slot_limits, trusted_image
from tasks.leases import lease, presence
from tasks.rewards import awaits, load_trial, read_verdicts, remove_trial_runs, write_job

START_SECONDS = 120.0
FUNCTION_SECONDS = 120.0
"""For all calls of one function; a call has 20 s and what its programs take."""
TRIES = 3


@flow(name="try-rewards", flow_run_name="try-rewards-{challenge_id}")
def try_rewards(challenge_id: str, trial: ArtifactRef) -> None:
    """Record the challenge as ready or failed; killed at any line, a successor goes on with the same container run."""
    asked = load_trial(trial)
    try:
        with presence(asked.trial_id):
            if awaits(asked):
                conclude(asked, trial)
            remove_trial_runs(asked)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run tries the rewards of %s: %s", challenge_id, elsewhere)


def conclude(trial: Trial, stored: ArtifactRef) -> None:
    """From the trial to the challenge's outcome."""
    try:
        verdicts = hear(trial, stored)
        outcome: ChallengeData | str = concluded(trial, verdicts)
    except (ValueError, PrerequisiteError, IntegrityError) as error:
        outcome = str(error)
    if not awaits(trial):
        get_run_logger().info("%s has its outcome: another flow run was faster", trial.trial_id)
    elif isinstance(outcome, str):
        record_failed(trial.plan.challenge_id, outcome)
    else:
        record_ready(trial.plan.challenge_id, outcome)


def hear(trial: Trial, stored: ArtifactRef) -> tuple[Verdict, ...]:
    """The verdicts, from a container run on a slot of its own. Raises PrerequisiteError when it fails too often."""
    image, inputs = trusted_image(EVALUATOR), write_job(trial)
    seconds = START_SECONDS + FUNCTION_SECONDS * len(trial.functions)
    problems: list[str] = []
    with lease(trial.trial_id, slots=1, seconds=TRIES * seconds + GRACE_SECONDS):
        for number in count(1):
            run = trial_container(f"{trial.trial_id}-{stored.sha256[:12]}-a{number}", image, inputs, seconds)
            heard = attempt(trial, run)
            if isinstance(heard, tuple):
                return heard
            problems += [heard] if heard else []
            if len(problems) == TRIES:
                break
    raise PrerequisiteError(f"the reward functions of {trial.trial_id} could not be tried: {problems[-1]}")


def trial_container(name: str, image: str, inputs: tuple[Mount, ...], seconds: float) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image=image,
        command=("rewards", "/job"),
        inputs=inputs,
        output_target="/job/outputs",
        limits=slot_limits(seconds, 1),
    )


def attempt(trial: Trial, run: ContainerSpec) -> tuple[Verdict, ...] | str | None:
    """The verdicts, or what our side did wrong; None for a run that is gone: its outcome was taken back since."""
    try:
        status = run_container(run, _unnoted)
    except StaleStateError:
        return None
    return read_verdicts(trial, run, status)


def _unnoted(_: datetime) -> None:
    """No row notes when a trial began."""
