"""Jobs of instruct, chat, KL-regularised instruct and DPO challenges. The definitions are in docs/measurement.md."""

from pathlib import Path

from core.errors import PrerequisiteError
from core.evaluation import EvaluationSpec, definition_of
from evaluators import job, loading, machine
from evaluators.challenge import DATASETS, Challenge


def challenge_of(spec: EvaluationSpec) -> Challenge:
    """The spec's challenge, verified. Raises PrerequisiteError or IntegrityError: whatever is wrong with it is ours."""
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
