"""What an operator decides (`core.ports.Tournaments`): to try again or to accept, to replace, to revise."""

import pytest

from core.challenge import ChallengeStatus
from core.compute import Ending
from core.errors import Fault, StaleStateError
from core.evaluation import Refused
from core.ids import ChallengeId, Contestant, EvaluationId, TournamentId, TrainingId, evaluation_id, training_id
from core.tournament import HaltCause, RoundPlan, RoundResult, RoundStatus, RoundType
from core.training import AttemptEnd, TrainingFailed, WorkStatus
from tests import builders
from tests.gateways.conftest import Stores

OURS = builders.training_failed("the machine caught fire", Fault.PLATFORM)
LOST = builders.attempt_end(Ending.LOST)
LEASE = builders.lease(token=1)
SEED = builders.sha256("seed")


def fail(stores: Stores, training: TrainingId, outcome: TrainingFailed = OURS, end: AttemptEnd | None = LOST) -> None:
    stores.trainings.begin(training, LEASE)
    stores.trainings.record(training, LEASE.token, end, outcome)


def halt(stores: Stores, tournament: TournamentId, cause: HaltCause = HaltCause.FAILURES) -> None:
    stores.tournaments.halt(tournament, cause, "too many failed", 900)


def trained(stores: Stores, training: TrainingId) -> EvaluationId:
    """Its queued evaluation."""
    stores.trainings.begin(training, LEASE)
    stores.trainings.record(training, LEASE.token, builders.attempt_end(), builders.trained())
    return evaluation_id(training, 1)


@pytest.fixture
def other(challenge: ChallengeId) -> TrainingId:
    """Miner 2's training on the first group's challenge."""
    return training_id(challenge, Contestant(builders.hotkey(2)))


# Resuming


def test_what_our_side_failed_is_done_again(stores: Stores, active: TournamentId, training: TrainingId) -> None:
    fail(stores, training)
    halt(stores, active)
    with stores.tells_of(f"training:{training}"):
        stores.tournaments.resume(active)
    again = stores.trainings.load(training)
    assert (again.status, again.outcome, again.recorded_at) == (WorkStatus.QUEUED, None, None)
    assert [attempt.ending for attempt in again.attempts] == [Ending.LOST], "what happened stays on record"
    assert again.counted_from == 2
    assert stores.trainings.begin(training, LEASE).number == 2
    stores.trainings.record(training, LEASE.token, builders.attempt_end(), builders.trained())
    assert stores.tournaments.load(active).evaluations[0].evaluation_id == f"{training}-e1"


def test_an_evaluation_that_our_side_failed_is_done_again(
    stores: Stores, active: TournamentId, training: TrainingId
) -> None:
    evaluation = trained(stores, training)
    stores.evaluations.begin(evaluation, LEASE)
    outcome = Refused(reason="the evaluator's machine is gone", fault=Fault.PLATFORM)
    stores.evaluations.record(evaluation, LEASE.token, LOST, outcome, None)
    assert stores.evaluations.load(evaluation).outcome == outcome
    halt(stores, active)
    with stores.tells_of(f"evaluation:{evaluation}"):
        stores.tournaments.resume(active)
    again = stores.evaluations.load(evaluation)
    assert (again.status, again.outcome, again.report, again.counted_from) == (WorkStatus.QUEUED, None, None, 2)
    assert stores.trainings.load(training).status is WorkStatus.DONE


def test_a_miners_failure_stands(stores: Stores, active: TournamentId, training: TrainingId, other: TrainingId) -> None:
    outcome = builders.training_failed()
    fail(stores, training, outcome, builders.attempt_end(Ending.CRASHED, fault=Fault.MINER))
    evaluation = trained(stores, other)
    stores.evaluations.begin(evaluation, LEASE)
    stores.evaluations.record(evaluation, LEASE.token, builders.attempt_end(), builders.refused(), None)
    halt(stores, active)
    stores.tournaments.resume(active)
    assert stores.trainings.load(training).outcome == outcome
    assert stores.evaluations.load(evaluation).outcome == builders.refused()


def test_attempts_at_unfinished_work_are_counted_anew(
    stores: Stores, active: TournamentId, training: TrainingId, other: TrainingId
) -> None:
    assert stores.trainings.load(training).counted_from == 1
    for _ in range(3):
        stores.trainings.begin(training, LEASE)
        stores.trainings.end_attempt(training, LEASE.token, LOST)
    stores.trainings.begin(other, LEASE)
    halt(stores, active, HaltCause.PLATFORM)
    stores.tournaments.resume(active)
    assert (stores.trainings.load(training).counted_from, stores.trainings.load(other).counted_from) == (4, 1)
    assert stores.tournaments.load(active).trainings[0] == stores.trainings.load(training)


def test_a_closed_round_is_not_played_again(
    stores: Stores, active: TournamentId, drawn: RoundPlan, training: TrainingId
) -> None:
    fail(stores, training)
    stores.tournaments.close_round(builders.round_result(drawn))
    halt(stores, active, HaltCause.PLATFORM)
    stores.tournaments.resume(active)
    assert stores.trainings.load(training).outcome == OURS


def test_accepting_lets_the_failures_count(stores: Stores, active: TournamentId, training: TrainingId) -> None:
    fail(stores, training)
    halt(stores, active)
    stores.tournaments.resume(active, accept=True)
    state = stores.tournaments.load(active)
    assert state.rounds[0].failures_accepted and state.tournament.halted is None
    assert stores.trainings.load(training).outcome == OURS
    with stores.tells_nothing():
        stores.tournaments.resume(active, accept=True)


@pytest.mark.parametrize("cause", [HaltCause.PREPARATION, HaltCause.PLATFORM])
def test_only_failures_are_accepted(stores: Stores, active: TournamentId, drawn: RoundPlan, cause: HaltCause) -> None:
    halt(stores, active, cause)
    with pytest.raises(StaleStateError, match="without accepting"):
        stores.tournaments.resume(active, accept=True)
    stores.tournaments.resume(active)
    assert not stores.tournaments.load(active).rounds[0].failures_accepted
    with pytest.raises(StaleStateError):
        stores.tournaments.resume(active, accept=True)


# Replacing challenges


def test_a_failed_challenge_is_replaced(stores: Stores, active: TournamentId, challenge: ChallengeId) -> None:
    stores.tournaments.challenge_failed(challenge, "the hub lost the dataset")
    plan = builders.challenge_plan(challenge, dataset=builders.dataset("others"), replacement=1)
    with stores.tells_of(f"challenge:{challenge}"):
        stores.tournaments.replan_challenge(challenge, plan)
    state = stores.tournaments.load(active)
    assert (state.challenges[0].plan, state.challenges[0].status) == (plan, ChallengeStatus.PLANNED)
    assert state.challenges[0].reason is None
    assert state.rounds[0].plan.groups[0].challenges == (plan,)
    told = stores.events.since(0)[-1]["details"]
    assert (told["dataset"], told["reason"]) == ("datasets/docstrings", "the hub lost the dataset")
    with stores.tells_nothing():
        stores.tournaments.replan_challenge(challenge, plan)
    stores.tournaments.challenge_ready(challenge, builders.challenge_data())


@pytest.mark.parametrize("replacement", [0, 2])
def test_replacements_are_counted(stores: Stores, challenge: ChallengeId, replacement: int) -> None:
    stores.tournaments.challenge_failed(challenge, "the hub lost the dataset")
    plan = builders.challenge_plan(challenge, dataset=builders.dataset("others"), replacement=replacement)
    with pytest.raises(StaleStateError):
        stores.tournaments.replan_challenge(challenge, plan)


def test_only_a_failed_challenge_is_replaced(stores: Stores, challenge: ChallengeId) -> None:
    plan = builders.challenge_plan(challenge, replacement=1)
    with pytest.raises(StaleStateError):
        stores.tournaments.replan_challenge(challenge, plan)
    stores.tournaments.challenge_ready(challenge, builders.challenge_data())
    with pytest.raises(StaleStateError):
        stores.tournaments.replan_challenge(challenge, plan)


# Disqualifying


def test_a_disqualification_is_kept_with_its_reason(stores: Stores, active: TournamentId) -> None:
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.disqualify(active, builders.hotkey(2), "copied code")
    assert stores.tournaments.load(active).disqualified == {builders.hotkey(2): "copied code"}
    with stores.tells_nothing():
        stores.tournaments.disqualify(active, builders.hotkey(2), "copied code")
    with pytest.raises(StaleStateError):
        stores.tournaments.disqualify(active, builders.hotkey(2), "for another reason")
    with pytest.raises(StaleStateError):
        stores.tournaments.disqualify(active, builders.hotkey(9), "never entered")


def test_nobody_is_disqualified_before_the_entries_are_in_or_when_all_is_cancelled(stores: Stores) -> None:
    tournament = stores.tournaments.open(builders.tournament()).tournament_id
    with pytest.raises(StaleStateError):
        stores.tournaments.disqualify(tournament, builders.hotkey(1), "copied code")
    stores.tournaments.record_entries(tournament, builders.entries(2), SEED)
    stores.tournaments.cancel(tournament, "the chain forked")
    with pytest.raises(StaleStateError):
        stores.tournaments.disqualify(tournament, builders.hotkey(1), "copied code")


# Revising a round


@pytest.fixture
def closed(stores: Stores, drawn: RoundPlan) -> RoundResult:
    """The first round's: the miners 1 and 3 go through."""
    result = builders.round_result(drawn)
    stores.tournaments.close_round(result)
    return result


@pytest.fixture
def final(stores: Stores, active: TournamentId, closed: RoundResult) -> RoundPlan:
    """The second round, playing: the miners 1 and 3 meet."""
    plan = builders.round_plan(builders.contestants(1, 3), tournament=active, number=2, type=RoundType.KNOCKOUT)
    stores.tournaments.record_round(active, plan, after=closed)
    return plan


def turned(result: RoundResult) -> RoundResult:
    """The next revision, in which the others go through."""
    standings = [standing.model_copy(update={"advances": not standing.advances}) for standing in result.standings]
    return result.model_copy(update={"revision": result.revision + 1, "standings": tuple(standings)})


def meeting(plan: RoundPlan, number: int) -> TrainingId:
    """Miner `number`'s training in a round of one group."""
    return training_id(plan.groups[0].challenges[0].challenge_id, Contestant(builders.hotkey(number)))


def test_when_others_go_through_later_rounds_are_superseded(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    before = stores.tournaments.load(active)
    stores.tournaments.close_round(turned(closed))
    state = stores.tournaments.load(active)
    assert [round_.status for round_ in state.rounds] == [RoundStatus.CLOSED, RoundStatus.SUPERSEDED]
    assert state.results == (turned(closed),)
    assert [round_.plan for round_ in state.rounds] == [round_.plan for round_ in before.rounds]
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(builders.round_result(final))
    with stores.tells_nothing():
        stores.tournaments.close_round(turned(closed))
    plan = builders.round_plan(builders.contestants(2, 4), tournament=active, number=3, type=RoundType.KNOCKOUT)
    stores.tournaments.record_round(active, plan, after=turned(closed))
    assert stores.tournaments.load(active).rounds[-1].status is RoundStatus.PLAYING


def test_closed_rounds_are_superseded_too(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    second = builders.round_result(final)
    stores.tournaments.close_round(second)
    stores.tournaments.close_round(turned(closed))
    state = stores.tournaments.load(active)
    assert state.rounds[1].status is RoundStatus.SUPERSEDED and state.results == (turned(closed),)
    with stores.tells_nothing():
        stores.tournaments.close_round(second)
    with pytest.raises(StaleStateError):
        stores.tournaments.close_round(second.model_copy(update={"revision": 2, "standings": ()}))


def test_nobody_works_for_a_superseded_round(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    running, evaluated = meeting(final, 1), meeting(final, 3)
    stores.trainings.begin(running, builders.lease(5))
    evaluation = trained(stores, evaluated)
    with stores.tells_of(f"training:{running}"):
        stores.tournaments.close_round(turned(closed))
    ended = stores.trainings.load(running)
    assert ended.outcome == TrainingFailed(reason="the round was superseded", fault=Fault.PLATFORM)
    assert (ended.attempts[0].ending, ended.attempts[0].fault) == (Ending.LOST, Fault.PLATFORM)
    refused = stores.evaluations.load(evaluation)
    assert refused.outcome == Refused(reason="the round was superseded", fault=Fault.PLATFORM)
    assert stores.trainings.load(evaluated).outcome == builders.trained()
    with stores.tells_nothing(), pytest.raises(StaleStateError):
        stores.trainings.record(running, 5, builders.attempt_end(), builders.trained())
    with pytest.raises(StaleStateError):
        stores.trainings.begin(running, builders.lease(6))


def test_superseded_work_is_not_resumed(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    stores.tournaments.close_round(turned(closed))
    halt(stores, active, HaltCause.PLATFORM)
    stores.tournaments.resume(active)
    assert stores.trainings.load(meeting(final, 1)).status is WorkStatus.DONE


def test_when_the_same_go_through_later_rounds_stand(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    standings = [standing.model_copy(update={"value": 9.0}) for standing in closed.standings]
    stores.tournaments.close_round(closed.model_copy(update={"revision": 2, "standings": tuple(standings)}))
    state = stores.tournaments.load(active)
    assert [round_.status for round_ in state.rounds] == [RoundStatus.CLOSED, RoundStatus.PLAYING]
    assert stores.trainings.load(meeting(final, 1)).status is WorkStatus.QUEUED


def test_a_halted_tournament_can_be_revised_and_stays_halted(
    stores: Stores, active: TournamentId, closed: RoundResult, final: RoundPlan
) -> None:
    halt(stores, active, HaltCause.PLATFORM)
    stores.tournaments.close_round(turned(closed))
    state = stores.tournaments.load(active)
    assert state.tournament.halted is not None and state.results == (turned(closed),)


def test_the_rounds_of_a_finished_tournament_stand(stores: Stores, active: TournamentId, closed: RoundResult) -> None:
    stores.tournaments.crown(active, builders.title_result())
    with stores.tells_nothing():
        stores.tournaments.close_round(closed)
        with pytest.raises(StaleStateError):
            stores.tournaments.close_round(turned(closed))


def test_nothing_follows_from_a_result_that_was_revised(
    stores: Stores, active: TournamentId, closed: RoundResult
) -> None:
    stores.tournaments.close_round(turned(closed))
    plan = builders.round_plan(builders.contestants(1, 3), tournament=active, number=2, type=RoundType.KNOCKOUT)
    with pytest.raises(StaleStateError, match="not the last result"):
        stores.tournaments.record_round(active, plan, after=closed)
    with pytest.raises(StaleStateError, match="not the last result"):
        stores.tournaments.crown(active, builders.title_result(), after=closed)
    stores.tournaments.crown(active, builders.title_result(), after=turned(closed))


# Revising a title


def test_a_title_is_revised_and_the_tournament_stays_finished(stores: Stores, active: TournamentId) -> None:
    first, second = builders.title_result(), builders.title_result(changed_hands=False)
    assert stores.tournaments.load(active).tournament.title_revision == 0
    stores.tournaments.crown(active, first)
    before = stores.tournaments.load(active).tournament
    with stores.tells_of(f"tournament:{active}"):
        stores.tournaments.revise_title(active, second, revision=2)
    after = stores.tournaments.load(active).tournament
    assert (before.title_revision, after.title_revision, after.title) == (1, 2, second)
    assert after.finished_at == before.finished_at and after.finished_at is not None
    assert stores.tournaments.finished(after.kind) == [after]
    with stores.tells_nothing():
        stores.tournaments.crown(active, first)
        stores.tournaments.revise_title(active, second, revision=2)
    stores.tournaments.revise_title(active, first, revision=3)
    assert stores.tournaments.load(active).tournament.title == first


@pytest.mark.parametrize("revision", [1, 3])
def test_titles_are_revised_in_turn(stores: Stores, active: TournamentId, revision: int) -> None:
    stores.tournaments.crown(active, builders.title_result())
    with pytest.raises(StaleStateError):
        stores.tournaments.revise_title(active, builders.title_result(changed_hands=False), revision)


def test_only_a_title_that_is_there_is_revised(stores: Stores, active: TournamentId) -> None:
    with pytest.raises(StaleStateError):
        stores.tournaments.revise_title(active, builders.title_result(), revision=1)
    stores.tournaments.cancel(active, "the chain forked")
    with pytest.raises(StaleStateError):
        stores.tournaments.revise_title(active, builders.title_result(), revision=1)
