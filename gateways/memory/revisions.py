"""Rounds that no longer count, and work that is done again, in memory."""

from collections.abc import Iterator
from typing import Any, TypeVar

from core.challenge import ChallengePlan, ChallengeStatus
from core.compute import Ending
from core.errors import Fault
from core.evaluation import Evaluation, EvaluationPurpose, Refused
from core.ids import ChallengeId, RoundId, TournamentId
from core.tournament import Round, RoundStatus
from core.training import Attempt, Training, TrainingFailed, WorkStatus
from gateways.memory.world import TournamentRow, World, changed

SUPERSEDED = "the round was superseded"
Work = TypeVar("Work", bound=Training | Evaluation)


def supersede_after(world: World, row: TournamentRow, number: int) -> list[str]:
    """Let the rounds after one count for nothing, and end what is open of their work. Return their ids."""
    later = [r for r in row.rounds.values() if r.plan.number > number and r.status is not RoundStatus.SUPERSEDED]
    rounds = {round_.plan.round_id for round_ in later}
    for round_ in later:
        row.rounds[round_.plan.round_id] = changed(round_, status=RoundStatus.SUPERSEDED)
    failure = {"reason": SUPERSEDED, "fault": Fault.PLATFORM}
    for training in list(_trainings_of(world, rounds)):
        if training.status is not WorkStatus.DONE:
            world.trainings[training.training_id] = _ended(world, training, TrainingFailed(**failure))
            world.log(f"training:{training.training_id}", "superseded")
    for evaluation in list(_evaluations_of(world, rounds)):
        if evaluation.status is not WorkStatus.DONE and evaluation.purpose is EvaluationPurpose.TOURNAMENT:
            world.evaluations[evaluation.evaluation_id] = _ended(world, evaluation, Refused(**failure))
            world.log(f"evaluation:{evaluation.evaluation_id}", "superseded")
    return sorted(rounds)


def try_again(world: World, row: TournamentRow) -> None:
    """Failed challenges, what our side failed in the playing round, and all that is unfinished: with counts from 0."""
    playing = {r.plan.round_id for r in row.rounds.values() if r.status is RoundStatus.PLAYING}
    for challenge in [c for c in world.challenges.values() if c.round_id in playing]:
        if challenge.status is ChallengeStatus.FAILED:
            planned = changed(challenge, status=ChallengeStatus.PLANNED, reason=None)
            world.challenges[challenge.challenge_id] = planned
    for training in list(_trainings_of(world, playing)):
        if _is_ours(training):
            world.trainings[training.training_id] = _queued(training)
            world.log(f"training:{training.training_id}", "queued again")
    for evaluation in list(_evaluations_of(world, playing)):
        if _is_ours(evaluation) and evaluation.purpose is EvaluationPurpose.TOURNAMENT:
            world.evaluations[evaluation.evaluation_id] = _queued(evaluation, report=None)
            world.log(f"evaluation:{evaluation.evaluation_id}", "queued again")
    _count_anew(world, row.tournament.tournament_id)


def replaced(round_: Round, challenge_id: ChallengeId, plan: ChallengePlan) -> Round:
    """The round with another challenge in the place of the one of this name."""
    groups = [
        changed(g, challenges=tuple(plan if c.challenge_id == challenge_id else c for c in g.challenges))
        for g in round_.plan.groups
    ]
    return changed(round_, plan=changed(round_.plan, groups=tuple(groups)))


def _count_anew(world: World, tournament_id: TournamentId) -> None:
    mine = {c.round_id for c in world.challenges.values() if c.tournament_id == tournament_id}
    for training in list(_trainings_of(world, mine)):
        world.trainings[training.training_id] = _uncounted(training)
    for evaluation in list(_evaluations_of(world, mine)):
        world.evaluations[evaluation.evaluation_id] = _uncounted(evaluation)


def _uncounted(work: Work) -> Work:
    if work.status is WorkStatus.DONE:
        return work
    over = [attempt.number for attempt in work.attempts if attempt.ended_at is not None]
    return changed(work, dispatches=0, counted_from=max(over, default=0) + 1)


def _queued(work: Work, **changes: Any) -> Work:
    return changed(work, status=WorkStatus.QUEUED, outcome=None, recorded_at=None, **changes)


def _is_ours(work: Training | Evaluation) -> bool:
    return isinstance(work.outcome, TrainingFailed | Refused) and work.outcome.fault is Fault.PLATFORM


def _ended(world: World, work: Work, outcome: TrainingFailed | Refused) -> Work:
    attempts = tuple(_ended_attempt(world, attempt) for attempt in work.attempts)
    now = world.clock()
    return changed(work, status=WorkStatus.DONE, outcome=outcome, recorded_at=now, attempts=attempts)


def _ended_attempt(world: World, attempt: Attempt) -> Attempt:
    if attempt.ended_at is not None:
        return attempt
    end = {"ending": Ending.LOST, "fault": Fault.PLATFORM, "detail": SUPERSEDED}
    return changed(attempt, ended_at=world.clock(), **end)


def _trainings_of(world: World, rounds: set[RoundId]) -> Iterator[Training]:
    return (t for t in world.trainings.values() if world.challenges[t.challenge_id].round_id in rounds)


def _evaluations_of(world: World, rounds: set[RoundId]) -> Iterator[Evaluation]:
    return (e for e in world.evaluations.values() if world.challenges[e.challenge_id].round_id in rounds)
