"""What only evaluations promise (`core.ports.Evaluations`); the rest is in `test_port_work.py`."""

import pytest

from core.errors import StaleStateError
from core.evaluation import Evaluation, EvaluationOutcome, EvaluationPurpose
from core.ids import ChallengeId, EvaluationId, TournamentId, TrainingId, evaluation_id, training_id
from core.tournament import RoundPlan
from core.training import Attempt, WorkStatus
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


# Several in one container run


@pytest.fixture
def groups(stores: Stores, active: TournamentId) -> RoundPlan:
    """Three contestants on one challenge, two on another."""
    plan = builders.round_plan(builders.contestants(1, 2, 3), builders.contestants(4, 0), tournament=active)
    stores.tournaments.record_round(active, plan)
    return plan


def waiting(stores: Stores, groups: RoundPlan, count: int) -> list[EvaluationId]:
    """Queued evaluations of the first challenge's first trainings."""
    group = groups.groups[0]
    challenge = group.challenges[0].challenge_id
    return [evaluation_of(stores, training_id(challenge, member)) for member in group.members[:count]]


def evaluation_of(stores: Stores, training: TrainingId) -> EvaluationId:
    stores.trainings.begin(training, LEASE)
    stores.trainings.record(training, LEASE.token, builders.attempt_end(), builders.trained())
    return evaluation_id(training, 1)


def run_of(attempts: list[Attempt]) -> tuple[list[str], set[str]]:
    """Whom it measures, in order, and the names of their runs."""
    return [attempt.subject_id for attempt in attempts], {attempt.run_name for attempt in attempts}


def test_those_that_wait_share_a_run(stores: Stores, groups: RoundPlan) -> None:
    first, second, third = waiting(stores, groups, 3)
    with stores.tells_of(f"evaluation:{first}"):
        attempts = stores.evaluations.begin(second, LEASE, most=8)
    assert run_of(attempts) == ([*sorted([first, third]), second], {f"{second}-a1"})
    assert {attempt.run_owner for attempt in attempts} == {second}
    assert {stores.evaluations.load(name).status for name in (first, second, third)} == {WorkStatus.RUNNING}
    with stores.tells_nothing():
        assert stores.evaluations.begin(second, LEASE, most=8) == attempts


def test_no_more_share_a_run_than_asked_for(stores: Stores, groups: RoundPlan) -> None:
    names = waiting(stores, groups, 3)
    assert len(stores.evaluations.begin(names[0], LEASE, most=2)) == 2
    assert len(stores.evaluations.begin(names[2], LEASE)) == 1


def test_only_evaluations_of_the_same_challenge_and_purpose_share(stores: Stores, groups: RoundPlan) -> None:
    (mine,) = waiting(stores, groups, 1)
    group, other = groups.groups
    evaluation_of(stores, training_id(other.challenges[0].challenge_id, other.members[0]))
    request_again(
        stores, group.challenges[0].challenge_id, training_id(group.challenges[0].challenge_id, group.members[0])
    )
    assert run_of(stores.evaluations.begin(mine, LEASE, most=8))[0] == [mine]


def test_a_successor_goes_on_with_the_run_and_exactly_those_in_it(stores: Stores, groups: RoundPlan) -> None:
    first, second, third = waiting(stores, groups, 3)
    attempts = stores.evaluations.begin(first, LEASE, most=2)
    member = next(attempt.subject_id for attempt in attempts if attempt.subject_id != first)
    for successor, token in ((EvaluationId(member), 2), (first, 3)):
        assert stores.evaluations.begin(successor, builders.lease(token), most=8) == attempts
    for attempt in attempts:
        with pytest.raises(StaleStateError):
            stores.evaluations.started(EvaluationId(attempt.subject_id), 2, builders.at(1))
        stores.evaluations.started(EvaluationId(attempt.subject_id), 3, builders.at(1))
    alone = ({first, second, third} - {attempt.subject_id for attempt in attempts}).pop()
    assert stores.evaluations.load(alone).status is WorkStatus.QUEUED


def test_who_has_its_outcome_is_no_longer_in_the_run(stores: Stores, groups: RoundPlan) -> None:
    first, second = waiting(stores, groups, 2)
    stores.evaluations.begin(first, LEASE, most=2)
    stores.evaluations.record(second, LEASE.token, builders.attempt_end(), builders.scored(), builders.report())
    assert run_of(stores.evaluations.begin(first, builders.lease(2), most=2))[0] == [first]


def test_what_failed_once_is_measured_alone(stores: Stores, groups: RoundPlan) -> None:
    first, second, third = waiting(stores, groups, 3)
    stores.evaluations.begin(first, LEASE)
    stores.evaluations.end_attempt(first, LEASE.token, builders.attempt_end())
    assert run_of(stores.evaluations.begin(first, LEASE, most=8)) == ([first], {f"{first}-a2"})
    stores.evaluations.end_attempt(first, LEASE.token, builders.attempt_end())
    assert set(run_of(stores.evaluations.begin(second, LEASE, most=8))[0]) == {second, third}


def test_a_failed_run_has_failed_for_each(stores: Stores, groups: RoundPlan) -> None:
    names = waiting(stores, groups, 2)
    for attempt in stores.evaluations.begin(names[0], LEASE, most=2):
        stores.evaluations.end_attempt(EvaluationId(attempt.subject_id), LEASE.token, builders.attempt_end())
    for name in names:
        assert run_of(stores.evaluations.begin(name, LEASE, most=8)) == ([name], {f"{name}-a2"})
