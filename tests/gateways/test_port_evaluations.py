"""What only evaluations promise (`core.ports.Evaluations`); the rest is in `test_port_work.py`."""

import pytest

from core.errors import StaleStateError
from core.evaluation import Evaluation, EvaluationOutcome, EvaluationPurpose
from core.ids import ChallengeId, EvaluationId, TournamentId, TrainingId
from core.tournament import RoundPlan
from core.training import WorkStatus
from tests import builders
from tests.gateways.conftest import Stores

LEASE = builders.lease(token=1)


def request_again(stores: Stores, challenge: ChallengeId, training: TrainingId) -> Evaluation:
    return stores.evaluations.request(
        challenge, builders.checkpoint(), EvaluationPurpose.REEVALUATION, training, None, training
    )


def test_a_requested_evaluation_waits_in_the_queue(
    stores: Stores, active: TournamentId, challenge: ChallengeId, training: TrainingId
) -> None:
    evaluation = request_again(stores, challenge, training)
    assert evaluation.evaluation_id == f"{training}-e1"
    assert (evaluation.status, evaluation.purpose) == (WorkStatus.QUEUED, EvaluationPurpose.REEVALUATION)
    assert stores.evaluations.load(evaluation.evaluation_id) == evaluation
    assert stores.tournaments.load(active).evaluations == (), "a re-evaluation changes no standing"


def test_every_request_of_a_subject_gets_the_next_number(
    stores: Stores, challenge: ChallengeId, training: TrainingId
) -> None:
    stores.trainings.begin(training, LEASE)
    stores.trainings.record(training, LEASE.token, builders.attempt_end(), builders.trained())
    names = [request_again(stores, challenge, training).evaluation_id for _ in range(2)]
    assert names == [f"{training}-e2", f"{training}-e3"]
    other = stores.evaluations.request(
        challenge, builders.checkpoint(), EvaluationPurpose.REEVALUATION, None, None, f"{challenge}-local"
    )
    assert other.evaluation_id == f"{challenge}-local-e1"


def test_a_request_is_told(stores: Stores, challenge: ChallengeId, training: TrainingId) -> None:
    with stores.tells_of(f"evaluation:{training}-e1"):
        request_again(stores, challenge, training)


def test_a_model_that_nobody_submitted_is_measured_beside_a_recorded_one(
    stores: Stores, challenge: ChallengeId, training: TrainingId
) -> None:
    old = request_again(stores, challenge, training).evaluation_id
    local = stores.evaluations.request(
        challenge, builders.checkpoint("local"), EvaluationPurpose.REEVALUATION, None, old, f"{challenge}-local"
    )
    assert (local.training_id, local.repeats, local.checkpoint) == (None, old, builders.checkpoint("local"))


@pytest.mark.parametrize("strange", ["challenge", "training", "repeats"])
def test_a_request_names_only_what_is_there(
    stores: Stores, challenge: ChallengeId, training: TrainingId, strange: str
) -> None:
    there = {"challenge": challenge, "training": training, "repeats": None}
    names = there | {strange: "text-0009-r1-g1-c1-nobody-e1"}
    with stores.tells_nothing(), pytest.raises(StaleStateError):
        stores.evaluations.request(
            ChallengeId(str(names["challenge"])),
            builders.checkpoint(),
            EvaluationPurpose.REEVALUATION,
            TrainingId(str(names["training"])),
            EvaluationId(names["repeats"]) if names["repeats"] else None,
            "subject",
        )


def test_a_training_is_measured_on_its_own_challenge(stores: Stores, drawn: RoundPlan, training: TrainingId) -> None:
    other = drawn.groups[1].challenges[0].challenge_id
    with pytest.raises(StaleStateError):
        request_again(stores, other, training)


def test_only_trainings_are_evaluated_for_a_tournament(stores: Stores, challenge: ChallengeId) -> None:
    with pytest.raises(StaleStateError):
        stores.evaluations.request(
            challenge, builders.checkpoint(), EvaluationPurpose.TOURNAMENT, None, None, f"{challenge}-local"
        )


@pytest.mark.parametrize("outcome", [builders.scored(0.1 + 0.2), builders.refused()], ids=["scored", "refused"])
def test_outcome_and_report_are_kept_exactly(
    stores: Stores, challenge: ChallengeId, training: TrainingId, outcome: EvaluationOutcome
) -> None:
    name = request_again(stores, challenge, training).evaluation_id
    stores.evaluations.begin(name, LEASE)
    stores.evaluations.record(name, LEASE.token, builders.attempt_end(), outcome, builders.report())
    done = stores.evaluations.load(name)
    assert (done.outcome, done.report) == (outcome, builders.report())
    with pytest.raises(StaleStateError):
        stores.evaluations.record(name, LEASE.token, builders.attempt_end(), outcome, builders.report("other"))
    assert stores.evaluations.load(name) == done
