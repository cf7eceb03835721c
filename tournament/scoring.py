"""Recorded outcomes → what each contestant reached on each challenge; a failure has no value, and somebody's fault."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

from core.challenge import ChallengeKind, Direction
from core.errors import Fault
from core.evaluation import Evaluation, Refused, Scored
from core.ids import ChallengeId, Contestant, Hotkey
from core.tournament import TournamentState
from core.training import Trained, Training, TrainingFailed
from tournament.cohort import cohort_scores
from tournament.merit import merit
from tournament.rules import TournamentRules


@dataclass(frozen=True)
class Result:
    """One contestant on one challenge: a value, or why there is none."""

    contestant: Contestant
    value: float | None
    reason: str | None = None
    fault: Fault | None = None
    evaluation: Evaluation | None = None
    direction: Direction = Direction.LOSS

    @property
    def is_void(self) -> bool:
        """There is no value by our own fault: it must cost the contestant nothing."""
        return self.value is None and self.fault is Fault.PLATFORM

    @property
    def merit(self) -> Decimal | None:
        """Higher is better, whoever else plays; None without a value."""
        return None if self.value is None else merit(self.value, self.direction)


def results_of(state: TournamentState, challenge_id: ChallengeId, rules: TournamentRules) -> dict[Contestant, Result]:
    """Everybody's result on one challenge. Raises ValueError while some outcome is missing."""
    evaluations = {e.training_id: e for e in state.evaluations}
    trainings = [t for t in state.trainings if t.challenge_id == challenge_id]
    kind = next(c.plan.kind for c in state.challenges if c.challenge_id == challenge_id)
    results = {t.contestant: _result(t, evaluations.get(t.training_id), kind.direction) for t in trainings}
    results = {contestant: _unless_disqualified(result, state) for contestant, result in results.items()}
    return _over_cohort(results) if rules.cohort_rewards and kind is ChallengeKind.GRPO else results


def _result(training: Training, evaluation: Evaluation | None, direction: Direction) -> Result:
    match training.outcome:
        case TrainingFailed(reason=reason, fault=fault):
            return Result(training.contestant, None, reason, fault, direction=direction)
        case Trained():
            return _measured(training, evaluation, direction)
        case None:
            raise ValueError(f"training {training.training_id} has no outcome yet")
        case _:
            assert_never(training.outcome)


def _measured(training: Training, evaluation: Evaluation | None, direction: Direction) -> Result:
    outcome = evaluation.outcome if evaluation else None
    match outcome:
        case Scored(value=value):
            return Result(training.contestant, value, evaluation=evaluation, direction=direction)
        case Refused(reason=reason, fault=fault):
            return Result(training.contestant, None, reason, fault, evaluation, direction)
        case None:
            raise ValueError(f"training {training.training_id} is not evaluated yet")
        case _:
            assert_never(outcome)


def _unless_disqualified(result: Result, state: TournamentState) -> Result:
    reason = state.disqualified.get(Hotkey(result.contestant))
    if reason is None:
        return result
    return replace(result, value=None, reason=f"disqualified: {reason}", fault=Fault.MINER)


def _over_cohort(results: dict[Contestant, Result]) -> dict[Contestant, Result]:
    measured = {
        contestant: result.evaluation.outcome
        for contestant, result in results.items()
        if result.value is not None and result.evaluation and isinstance(result.evaluation.outcome, Scored)
    }
    scores = cohort_scores(measured)
    return {c: replace(result, value=scores.get(c, result.value)) for c, result in results.items()}


@dataclass(frozen=True)
class Difference:
    """An evaluation measured again."""

    old: float | None
    new: float | None

    @property
    def is_equal(self) -> bool:
        """To the last bit; two refusals are equal."""
        return self.old == self.new


def difference(old: Evaluation, new: Evaluation) -> Difference:
    def value(evaluation: Evaluation) -> float | None:
        return evaluation.outcome.value if isinstance(evaluation.outcome, Scored) else None

    return Difference(value(old), value(new))
