"""A challenge whose trainings are all over at once: their evaluations wait together."""

from core.artifacts import ArtifactKind, ArtifactRef
from core.challenge import ChallengeData
from core.evaluation import Evaluation
from core.ids import EvaluationId, TournamentId, evaluation_id, training_id
from core.ports import Ports
from core.training import Trained, WorkStatus
from core.value import canonical_json
from flows.evaluation import evaluate
from tests import builders
from tournament import rules

PLATFORM_ATTEMPTS = 3
ROWS = [{"instruct": f"f{number}", "output": f"number {number}"} for number in range(5)]


def crowd(ports: Ports, model: ArtifactRef, checkpoints: dict[int, ArtifactRef]) -> list[EvaluationId]:
    """Queue an evaluation of each miner's checkpoint on one challenge; return them in the order of the miners."""
    terms = rules.DEMO.model_dump(mode="json") | {"platform_attempts": PLATFORM_ATTEMPTS}
    id_ = ports.tournaments.open(builders.tournament(rules=terms)).tournament_id
    ports.tournaments.record_entries(id_, builders.entries(max(checkpoints)), builders.sha256("seed"))
    plan = builders.round_plan(builders.contestants(*checkpoints), tournament=id_)
    ports.tournaments.record_round(id_, plan)
    challenge = plan.groups[0].challenges[0].challenge_id
    ports.tournaments.challenge_ready(challenge, _data(ports, model))
    trainings = [training_id(challenge, member) for member in plan.groups[0].members]
    for training, checkpoint in zip(trainings, checkpoints.values(), strict=True):
        ports.trainings.begin(training, builders.lease())
        ports.trainings.record(training, 1, builders.attempt_end(), Trained(checkpoint=checkpoint))
    return [evaluation_id(training, 1) for training in trainings]


def _data(ports: Ports, model: ArtifactRef) -> ChallengeData:
    rows = ports.artifacts.put_bytes(ArtifactKind.DATASET, canonical_json(ROWS))
    return ChallengeData(base_model=model, train=rows, test=rows, train_rows=5, test_rows=5)


def waiting(ports: Ports, id_: TournamentId = builders.TEXT_1) -> list[Evaluation]:
    """Those without an outcome."""
    return [e for e in ports.tournaments.load(id_).evaluations if e.status is not WorkStatus.DONE]


def measure_all(ports: Ports) -> None:
    """As the flow runs of the evaluations do, one after another."""
    for evaluation in waiting(ports):
        evaluate(evaluation.evaluation_id, return_state=True)
