"""Recorded outcomes → what each contestant reached on each challenge. Lower loss is better; a failure has none."""

from dataclasses import dataclass
from typing import assert_never

from core.errors import Fault
from core.evaluation import Evaluation, Refused, Scored
from core.ids import ChallengeId, Contestant
from core.tournament import TournamentState
from core.training import Trained, Training, TrainingFailed


@dataclass(frozen=True)
class Result:
    """One contestant on one challenge: a loss, or why there is none."""

    contestant: Contestant
    loss: float | None
    reason: str | None = None
    fault: Fault | None = None
    evaluation: Evaluation | None = None


def results_of(state: TournamentState, challenge_id: ChallengeId) -> dict[Contestant, Result]:
    """Everybody's result on one challenge. Raises ValueError while some outcome is missing."""
    evaluations = {e.training_id: e for e in state.evaluations}
    trainings = [t for t in state.trainings if t.challenge_id == challenge_id]
    return {t.contestant: _result(t, evaluations.get(t.training_id)) for t in trainings}


def _result(training: Training, evaluation: Evaluation | None) -> Result:
    match training.outcome:
        case TrainingFailed(reason=reason, fault=fault):
            return Result(training.contestant, None, reason, fault)
        case Trained():
            return _measured(training, evaluation)
        case None:
            raise ValueError(f"training {training.training_id} has no outcome yet")
        case _:
            assert_never(training.outcome)


def _measured(training: Training, evaluation: Evaluation | None) -> Result:
    outcome = evaluation.outcome if evaluation else None
    match outcome:
        case Scored(loss=loss):
            return Result(training.contestant, loss, evaluation=evaluation)
        case Refused(reason=reason, fault=fault):
            return Result(training.contestant, None, reason, fault, evaluation)
        case None:
            raise ValueError(f"training {training.training_id} is not evaluated yet")
        case _:
            assert_never(outcome)


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
    def loss(evaluation: Evaluation) -> float | None:
        return evaluation.outcome.loss if isinstance(evaluation.outcome, Scored) else None

    return Difference(loss(old), loss(new))
