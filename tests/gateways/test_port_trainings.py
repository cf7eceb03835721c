"""What only trainings promise (`core.ports.Trainings`); the rest is in `test_port_work.py`."""

import pytest

from core.errors import Fault, StaleStateError
from core.evaluation import EvaluationPurpose
from core.ids import ChallengeId, EvaluationId, TournamentId, TrainingId, evaluation_id
from core.training import WorkStatus
from tests import builders
from tests.gateways.conftest import Stores

LEASE = builders.lease(token=1)


def test_a_checkpoint_queues_its_evaluation_in_the_same_step(
    stores: Stores, active: TournamentId, training: TrainingId, challenge: ChallengeId
) -> None:
    outcome = builders.trained()
    stores.trainings.begin(training, LEASE)
    with stores.tells_of(f"evaluation:{training}-e1"):
        stores.trainings.record(training, LEASE.token, builders.attempt_end(), outcome)
    assert stores.trainings.load(training).outcome == outcome
    evaluation = stores.evaluations.load(evaluation_id(training, 1))
    assert (evaluation.status, evaluation.purpose) == (WorkStatus.QUEUED, EvaluationPurpose.TOURNAMENT)
    assert (evaluation.training_id, evaluation.challenge_id) == (training, challenge)
    assert evaluation.checkpoint == outcome.checkpoint
    assert stores.tournaments.load(active).evaluations == (evaluation,)


def test_saying_it_again_queues_no_second_evaluation(
    stores: Stores, active: TournamentId, training: TrainingId
) -> None:
    stores.trainings.begin(training, LEASE)
    for _ in range(2):
        stores.trainings.record(training, LEASE.token, builders.attempt_end(), builders.trained())
    assert len(stores.tournaments.load(active).evaluations) == 1


def test_a_refused_record_queues_nothing(stores: Stores, training: TrainingId) -> None:
    stores.trainings.begin(training, LEASE)
    with pytest.raises(StaleStateError):
        stores.trainings.record(training, LEASE.token + 1, builders.attempt_end(), builders.trained())
    with pytest.raises(StaleStateError):
        stores.evaluations.load(evaluation_id(training, 1))


@pytest.mark.parametrize("fault", [Fault.MINER, Fault.PLATFORM])
def test_without_a_checkpoint_there_is_nothing_to_evaluate(
    stores: Stores, active: TournamentId, training: TrainingId, fault: Fault
) -> None:
    outcome = builders.training_failed("out of memory", fault)
    stores.trainings.begin(training, LEASE)
    stores.trainings.record(training, LEASE.token, builders.attempt_end(), outcome)
    assert stores.trainings.load(training).outcome == outcome
    assert stores.tournaments.load(active).evaluations == ()


def test_evaluations_are_listed_in_the_order_of_the_draw(stores: Stores, active: TournamentId) -> None:
    plan = builders.round_plan(builders.contestants(3, 1), builders.contestants(2, 0), tournament=active)
    stores.tournaments.record_round(active, plan)
    trainings = [training.training_id for training in stores.tournaments.load(active).trainings]
    assert [name.rpartition("-")[2] for name in trainings] == [m for group in plan.groups for m in group.members]
    for training in reversed(trainings):
        stores.trainings.begin(training, LEASE)
        stores.trainings.record(training, LEASE.token, None, builders.trained(training))
    evaluations = [evaluation.evaluation_id for evaluation in stores.tournaments.load(active).evaluations]
    assert evaluations == [EvaluationId(f"{training}-e1") for training in trainings]
