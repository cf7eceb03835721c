"""Train one contestant's script on one challenge."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from core.artifacts import ArtifactRef
from core.challenge import Challenge
from core.compute import BuildFailure, ContainerSpec, ContainerStatus, Ending, Lease, Mount
from core.contract import (
    CHECKPOINTS,
    dataset_file,
    model_folder,
    repository_name,
    training_arguments,
    training_environment,
)
from core.errors import Fault, LeaseHeldError
from core.ids import TrainingId, tournament_of
from core.training import Attempt, AttemptEnd, Trained, Training, TrainingFailed, TrainingOutcome, WorkStatus
from flows.attempts import GRACE_SECONDS, attempt_end, earlier_attempts, ended, given_up
from tasks.artifacts import collect_checkpoint, fetch, put_log
from tasks.containers import build_image, remove_container, run_container, slot_limits
from tasks.leases import lease, presence
from tasks.tournaments import load_tournament
from tasks.trainings import begin_training, end_training_attempt, load_training, record_training, training_started
from tournament.attempts import Again, GiveUp, fault_of, judge_training
from tournament.rules import TournamentRules


@flow(name="train", flow_run_name="train-{training_id}")
def train(training_id: str) -> State[None]:
    """Train until there is an outcome; killed at any line, a successor goes on with the same container run."""
    training = load_training(TrainingId(training_id))
    if training.status is WorkStatus.DONE:
        return ended(training.outcome)
    state = load_tournament(tournament_of(training.challenge_id))
    challenge = next(c for c in state.challenges if c.challenge_id == training.challenge_id)
    rules = TournamentRules.model_validate(state.tournament.rules)
    seconds = challenge.plan.training_seconds + GRACE_SECONDS
    try:
        with presence(training_id):
            supplies = bring(training, challenge, rules, str(state.tournament.seed))
            while not attempt_once(training.training_id, challenge, rules, supplies, seconds):
                get_run_logger().info("training %s: another attempt", training_id)
    except LeaseHeldError as elsewhere:
        get_run_logger().info("another flow run trains %s: %s", training_id, elsewhere)
    return ended(load_training(training.training_id).outcome)


@dataclass(frozen=True)
class Supplies:
    """What a training needs on this machine; brought before it takes a slot, so that no slot waits for it."""

    image: str | BuildFailure
    base_model: Path
    rows: Path
    environment: dict[str, str]


def bring(training: Training, challenge: Challenge, rules: TournamentRules, seed: str) -> Supplies:
    if challenge.data is None:
        raise ValueError(f"challenge {challenge.challenge_id} is not ready")
    return Supplies(
        image=build_image(fetch(training.tree), rules.dockerfile, training.tree.sha256),
        base_model=fetch(challenge.data.base_model),
        rows=fetch(challenge.data.train),
        environment=training_environment(seed, training.training_id, challenge.plan.kl_coefficient),
    )


def attempt_once(
    training_id: TrainingId, challenge: Challenge, rules: TournamentRules, supplies: Supplies, seconds: float
) -> bool:
    """One attempt under a slot of its own; True when the training has its outcome."""
    with lease(training_id, slots=1, seconds=seconds) as held:
        training = load_training(training_id)
        return training.status is WorkStatus.DONE or attempt(training, challenge, rules, supplies, held)


def attempt(training: Training, challenge: Challenge, rules: TournamentRules, supplies: Supplies, held: Lease) -> bool:
    """From claim to record."""
    if isinstance(supplies.image, BuildFailure):
        return _record_unbuilt(training, supplies.image, held)
    begun = begin_training(training.training_id, held)
    spec = training_container(training, challenge, begun, supplies, held)
    status = run_container(spec, partial(training_started, training.training_id, held.token))
    checkpoint = collect_checkpoint(Path(status.output_path), challenge.challenge_id, _repository(training, challenge))
    is_over = _conclude(training, status, checkpoint, earlier_attempts(training, begun), rules, held)
    remove_container(spec.name)
    return is_over


def training_container(
    training: Training, challenge: Challenge, attempt: Attempt, supplies: Supplies, held: Lease
) -> ContainerSpec:
    """The miner's container by the training contract: base model and training rows in, one folder out."""
    model = model_folder(challenge.plan.model.model_id)
    return ContainerSpec(
        name=attempt.run_name,
        image=str(supplies.image),
        command=training_arguments(challenge, _repository(training, challenge)),
        environment=supplies.environment,
        inputs=(
            Mount(source=str(supplies.base_model), target=model),
            Mount(source=str(supplies.rows), target=dataset_file(challenge.challenge_id)),
        ),
        output_target=CHECKPOINTS,
        devices=tuple(slot.device for slot in held.slots if slot.device),
        limits=slot_limits(challenge.plan.training_seconds, len(held.slots)),
    )


def _repository(training: Training, challenge: Challenge) -> str:
    return repository_name(challenge.tournament_id, challenge.challenge_id, training.hotkey)


def _record_unbuilt(training: Training, failure: BuildFailure, held: Lease) -> bool:
    """A Dockerfile that does not build is the miner's failure, a build that we could not carry out is ours."""
    outcome = TrainingFailed(reason=f"build failed: {failure.reason}", fault=failure.fault)
    begin_training(training.training_id, held)
    record_training(training.training_id, held.token, None, outcome)
    return True


def _conclude(
    training: Training,
    status: ContainerStatus,
    collected: ArtifactRef | str,
    earlier: list[Attempt],
    rules: TournamentRules,
    held: Lease,
) -> bool:
    checkpoint, objection = (None, collected) if isinstance(collected, str) else (collected, None)
    ending = status.ending or Ending.LOST
    verdict = judge_training(ending, status.detail, checkpoint, objection, earlier, rules)
    end = attempt_end(status, fault_of(ending, checkpoint is not None, earlier), put_log(Path(status.log_path)))
    return _record(training, end, verdict, held)


def _record(training: Training, end: AttemptEnd, verdict: TrainingOutcome | Again | GiveUp, held: Lease) -> bool:
    match verdict:
        case Trained() | TrainingFailed():
            record_training(training.training_id, held.token, end, verdict)
            return True
        case Again():
            end_training_attempt(training.training_id, held.token, end)
            return False
        case GiveUp(reason):
            outcome = TrainingFailed(reason=given_up(reason), fault=Fault.PLATFORM)
            record_training(training.training_id, held.token, end, outcome)
            return True
