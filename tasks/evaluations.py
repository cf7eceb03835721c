"""Evaluation rows: request, load, begin, end, record; and reading what the evaluator wrote."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from prefect import task
from pydantic import ValidationError

from core.artifacts import ArtifactKind, ArtifactRef
from core.compute import Lease
from core.errors import IntegrityError
from core.evaluation import (
    Evaluation,
    EvaluationOutcome,
    EvaluationPurpose,
    EvaluationReport,
    EvaluationSpec,
    ExampleResult,
    Scored,
)
from core.ids import ChallengeId, EvaluationId, TrainingId
from core.training import Attempt, AttemptEnd
from core.value import canonical_json, sha256_hex
from gateways.wiring import ports
from tasks.artifacts import cache_folder, keep, staging
from tasks.retrying import EFFECT

PER_EXAMPLE = "per_example.jsonl"
EXAMPLES_MOST_BYTES = 1 << 26
"""Of one evaluation's per-example results; test sets of some hundred rows give far less."""


@task(task_run_name="load-{evaluation_id}", **EFFECT)
def load_evaluation(evaluation_id: EvaluationId) -> Evaluation:
    return ports().evaluations.load(evaluation_id)


@task(task_run_name="request-{subject}", **EFFECT)
def request_evaluation(
    challenge_id: ChallengeId,
    checkpoint: ArtifactRef,
    training_id: TrainingId | None,
    repeats: EvaluationId | None,
    subject: str,
) -> Evaluation:
    """Queue a re-evaluation."""
    purpose = EvaluationPurpose.REEVALUATION
    return ports().evaluations.request(challenge_id, checkpoint, purpose, training_id, repeats, subject)


@task(task_run_name="begin-{evaluation_id}", **EFFECT)
def begin_evaluations(evaluation_id: EvaluationId, lease: Lease, most: int) -> list[Attempt]:
    """It, and those that its container run measures with it."""
    return ports().evaluations.begin(evaluation_id, lease, most)


def evaluations_started(evaluation_ids: Sequence[EvaluationId], token: int, started_at: datetime) -> None:
    for evaluation_id in evaluation_ids:
        ports().evaluations.started(evaluation_id, token, started_at)


@task(task_run_name="end-attempt-{evaluation_id}", **EFFECT)
def end_evaluation_attempt(evaluation_id: EvaluationId, token: int, end: AttemptEnd) -> None:
    ports().evaluations.end_attempt(evaluation_id, token, end)


@task(task_run_name="record-{evaluation_id}", **EFFECT)
def record_evaluation(
    evaluation_id: EvaluationId,
    token: int,
    end: AttemptEnd,
    outcome: EvaluationOutcome,
    report: ArtifactRef | None,
) -> None:
    ports().evaluations.record(evaluation_id, token, end, outcome, report)


@task(task_run_name="spec-{spec.evaluation_id}", **EFFECT)
def write_spec(spec: EvaluationSpec) -> Path:
    """The spec as a file that the container mounts."""
    return keep(canonical_json(spec))


@task(task_run_name="read-report-{spec.evaluation_id}", **EFFECT)
def read_report(spec: EvaluationSpec, outputs: Path) -> EvaluationReport | str:
    """The report that answers the spec, or what is wrong with it.

    Args:
        outputs: Of the container run, with a folder for each evaluation.
    """
    output = outputs / spec.evaluation_id
    try:
        report = EvaluationReport.model_validate_json((output / "report.json").read_bytes())
    except FileNotFoundError:
        return "the evaluator left no report"
    except ValidationError as error:
        return f"the evaluator's report is not valid: {error.errors()[0]['msg']}"
    if report.spec_sha256 != sha256_hex(canonical_json(spec)):
        return "the evaluator's report answers another spec"
    if isinstance(report.outcome, Scored) and not _has_examples(output, report.outcome):
        return "the per-example results do not have the hash that the report states"
    return report


def _has_examples(output: Path, outcome: Scored) -> bool:
    path = output / PER_EXAMPLE
    return path.is_file() and sha256_hex(path.read_bytes()) == outcome.per_example_sha256


@task(task_run_name="put-report-{spec.evaluation_id}", **EFFECT)
def put_report(spec: EvaluationSpec, outputs: Path) -> ArtifactRef:
    """Store spec, report and per-example results: what a stranger needs beside model and test set."""
    with tempfile.TemporaryDirectory(dir=staging()) as folder:
        report = shutil.copytree(outputs / spec.evaluation_id, Path(folder, "report"), symlinks=True)
        (report / "spec.json").write_bytes(canonical_json(spec))
        return ports().artifacts.put_tree(ArtifactKind.REPORT, report)


@task(**EFFECT)
def load_examples(evaluations: Sequence[Evaluation]) -> dict[EvaluationId, tuple[ExampleResult, ...]]:
    """What was measured row by row, in the test set's order. Raises IntegrityError when a report does not hold it."""
    return {evaluation.evaluation_id: _examples(evaluation) for evaluation in evaluations}


def _examples(evaluation: Evaluation) -> tuple[ExampleResult, ...]:
    data = _per_example(evaluation)
    try:
        return tuple(ExampleResult.model_validate_json(line) for line in data.splitlines())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise IntegrityError(f"{PER_EXAMPLE} of evaluation {evaluation.evaluation_id}: {reason}") from error


def _per_example(evaluation: Evaluation) -> bytes:
    """The file's bytes, as the recorded outcome promises them."""
    label = f"evaluation {evaluation.evaluation_id}"
    if not isinstance(evaluation.outcome, Scored) or evaluation.report is None:
        raise IntegrityError(f"{label} has no value with a report")
    path = ports().artifacts.fetch(evaluation.report, cache_folder()) / PER_EXAMPLE
    if not path.is_file() or path.stat().st_size > EXAMPLES_MOST_BYTES:
        raise IntegrityError(f"the report of {label} has no {PER_EXAMPLE} of at most {EXAMPLES_MOST_BYTES} bytes")
    data = path.read_bytes()
    if sha256_hex(data) != evaluation.outcome.per_example_sha256:
        raise IntegrityError(f"{PER_EXAMPLE} in the report of {label} is not the one that its outcome names")
    return data
