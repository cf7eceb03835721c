"""Which module measures which kind of challenge; and what jobs share.

Jobs of one challenge that follow one another share the base in memory and the base's answers, and nothing else.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from core.evaluation import CHAT, DPO, GRPO, INSTRUCT, INSTRUCT_KL, EvaluationSpec
from evaluators import job
from evaluators.measurement import Measurement


class Challenge(Protocol):
    def measure(self, folder: Path, verify: Callable[[], None], /) -> Measurement:
        """Measure the checkpoint in the folder, or refuse it. `verify` is called before it is opened."""


EVALUATORS = {
    (ChallengeKind.INSTRUCT, INSTRUCT): "evaluators.language",
    (ChallengeKind.INSTRUCT, INSTRUCT_KL): "evaluators.language",
    (ChallengeKind.CHAT, CHAT): "evaluators.language",
    (ChallengeKind.DPO, DPO): "evaluators.language",
    (ChallengeKind.GRPO, GRPO): "evaluators.grpo",
}
"""Kind and definition → the module whose `challenge_of` opens it, imported on first use."""


class Registry:
    def __init__(self) -> None:
        self._open: tuple[EvaluationSpec, Challenge] | None = None

    def evaluate(self, spec: EvaluationSpec) -> Measurement:
        """Measure the checkpoint, or refuse it. Raises PrerequisiteError or IntegrityError when it is ours."""
        module = EVALUATORS.get((spec.kind, spec.definition))
        if module is None:
            raise PrerequisiteError(
                f"{spec.kind} by {spec.definition!r} is not measured here: use the evaluator image of that definition"
            )
        job.require_folders(spec.base_model, spec.checkpoint)
        challenge, folder = self._challenge(spec, module), Path(spec.checkpoint)
        return challenge.measure(folder, partial(job.verify_tree, folder, spec.checkpoint_sha256, "checkpoint"))

    def _challenge(self, spec: EvaluationSpec, module: str) -> Challenge:
        """The spec's own, verified; the one before it is given up when it is another."""
        shared = spec.model_copy(update={"evaluation_id": "", "checkpoint": "", "checkpoint_sha256": "", "outputs": ""})
        if self._open is None or self._open[0] != shared:
            self._open = None
            self._open = shared, import_module(module).challenge_of(spec)
        return self._open[1]
