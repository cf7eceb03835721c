"""Jobs of instruct, chat, KL-regularised instruct and DPO challenges. The definitions are in docs/measurement.md.

Jobs of one challenge that follow one another share the base in memory and the base's answers, and nothing else.
"""

from functools import partial
from pathlib import Path

from core.errors import PrerequisiteError
from core.evaluation import EvaluationSpec, definition_of
from evaluators import job, loading, machine
from evaluators.challenge import DATASETS, Challenge
from evaluators.measurement import Measurement


class Evaluator:
    def __init__(self) -> None:
        self._open: tuple[EvaluationSpec, Challenge] | None = None

    def evaluate(self, spec: EvaluationSpec) -> Measurement:
        """Measure the checkpoint, or refuse it. Raises PrerequisiteError or IntegrityError when it is ours."""
        job.require_folders(spec.base_model, spec.checkpoint)
        challenge, folder = self._challenge(spec), Path(spec.checkpoint)
        return challenge.measure(folder, partial(job.verify_tree, folder, spec.checkpoint_sha256, "checkpoint"))

    def _challenge(self, spec: EvaluationSpec) -> Challenge:
        """The spec's challenge, verified; the one before it is given up when it is another."""
        shared = spec.model_copy(update={"evaluation_id": "", "checkpoint": "", "checkpoint_sha256": "", "outputs": ""})
        if self._open is None or self._open[0] != shared:
            self._open = None
            self._open = shared, _challenge_of(spec)
        return self._open[1]


def _challenge_of(spec: EvaluationSpec) -> Challenge:
    _check(spec)
    device = machine.prepare()
    job.verify_tree(Path(spec.base_model), spec.base_sha256, "base model")
    base, rows = loading.load_base(Path(spec.base_model)), job.read_rows(spec)
    return Challenge(base, rows, spec.dataset_type, device, spec.kl_coefficient, spec.max_tokens)


def _check(spec: EvaluationSpec) -> None:
    """Raises PrerequisiteError for a spec whose parts do not belong together."""
    wanted = DATASETS[spec.kind]
    if not isinstance(spec.dataset_type, wanted):
        given = type(spec.dataset_type).__name__
        raise PrerequisiteError(f"dataset_type of a {spec.kind} is a {given}: give a {wanted.__name__}")
    if spec.definition != definition_of(spec.kind, spec.kl_coefficient):
        raise PrerequisiteError(f"{spec.definition!r} does not go with kl_coefficient {spec.kl_coefficient}")
