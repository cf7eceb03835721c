"""Which evaluator measures which kind of challenge."""

from collections.abc import Callable
from importlib import import_module

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from core.evaluation import GRPO, INSTRUCT, EvaluationSpec
from evaluators.measurement import Measurement

Evaluator = Callable[[EvaluationSpec], Measurement]

EVALUATORS = {
    (ChallengeKind.INSTRUCT, INSTRUCT): "evaluators.language",
    (ChallengeKind.GRPO, GRPO): "evaluators.grpo",
}
"""Kind and definition → the module whose `evaluate` measures it, imported on first use."""


def evaluate(spec: EvaluationSpec) -> Measurement:
    """Raises PrerequisiteError for a kind or definition that nobody measures."""
    module = EVALUATORS.get((spec.kind, spec.definition))
    if module is None:
        raise PrerequisiteError(
            f"{spec.kind} by {spec.definition!r} is not measured here: use the evaluator image of that definition"
        )
    evaluator: Evaluator = import_module(module).evaluate
    return evaluator(spec)
