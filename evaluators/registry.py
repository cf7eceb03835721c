"""Which evaluator measures which kind of challenge."""

from importlib import import_module
from typing import Protocol

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from core.evaluation import CHAT, DPO, GRPO, INSTRUCT, INSTRUCT_KL, EvaluationSpec
from evaluators.measurement import Measurement


class Evaluator(Protocol):
    """Made once for all jobs of a process, so that it can keep what jobs share."""

    def evaluate(self, spec: EvaluationSpec, /) -> Measurement:
        """Measure, or refuse. Raises PrerequisiteError or IntegrityError when it is ours."""


EVALUATORS = {
    (ChallengeKind.INSTRUCT, INSTRUCT): "evaluators.language",
    (ChallengeKind.INSTRUCT, INSTRUCT_KL): "evaluators.language",
    (ChallengeKind.CHAT, CHAT): "evaluators.language",
    (ChallengeKind.DPO, DPO): "evaluators.language",
    (ChallengeKind.GRPO, GRPO): "evaluators.grpo",
}
"""Kind and definition → the module whose `Evaluator` measures it, imported on first use."""


class Registry:
    def __init__(self) -> None:
        self._made: dict[str, Evaluator] = {}

    def evaluate(self, spec: EvaluationSpec) -> Measurement:
        """Raises PrerequisiteError for a kind or definition that nobody measures."""
        module = EVALUATORS.get((spec.kind, spec.definition))
        if module is None:
            raise PrerequisiteError(
                f"{spec.kind} by {spec.definition!r} is not measured here: use the evaluator image of that definition"
            )
        if module not in self._made:
            self._made[module] = import_module(module).Evaluator()
        return self._made[module].evaluate(spec)
