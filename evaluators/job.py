"""The job folder: the spec and its inputs, verified; the results, the report last.

spec.json                     in    core.evaluation.EvaluationSpec; its paths say where the rest is
<spec.base_model>/            in    config, tokenizer and safetensors of the base
<spec.checkpoint>/            in    what the miner's training saved
<spec.test>                   in    the hidden test set, a JSON list of rows
<spec.outputs>/per_example.jsonl    out   one core.evaluation.ExampleResult a line, when there is a number
<spec.outputs>/report.json          out   core.evaluation.EvaluationReport; its presence means the work is whole
"""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from core.artifacts import ArtifactKind, Manifest, TreeFile
from core.errors import IntegrityError, PrerequisiteError
from core.evaluation import EvaluationOutcome, EvaluationReport, EvaluationSpec, Refused, Scored
from core.value import canonical_json, sha256_hex
from evaluators.measurement import Measurement, corpus_loss

SPEC, REPORT, PER_EXAMPLE = "spec.json", "report.json", "per_example.jsonl"

Row = dict[str, Any]


def read_spec(folder: Path) -> EvaluationSpec:
    """Raises PrerequisiteError or pydantic's ValidationError: a broken spec is ours."""
    path = folder / SPEC
    if not path.is_file():
        raise PrerequisiteError(f"{path} is not there: write the EvaluationSpec to it")
    return EvaluationSpec.model_validate_json(path.read_bytes())


def read_rows(spec: EvaluationSpec) -> list[Row]:
    """The test set. Raises IntegrityError when it is not the one that the spec names."""
    path = Path(spec.test)
    if not path.is_file():
        raise PrerequisiteError(f"the test set {path} is not there: mount it")
    data = path.read_bytes()
    if sha256_hex(data) != spec.test_sha256:
        raise IntegrityError(f"the test set {path} has another SHA-256 than the spec says")
    return parse_rows(data, f"the test set {path}")


def parse_rows(data: bytes, what: str) -> list[Row]:
    """Raises PrerequisiteError for anything but a JSON list of rows."""
    try:
        rows = json.loads(data)
    except ValueError as e:
        raise PrerequisiteError(f"{what} is not JSON ({e}): prepare the challenge again") from e
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise PrerequisiteError(f"{what} is not a JSON list of rows: prepare the challenge again")
    return rows


def require_folders(*folders: str) -> None:
    for folder in folders:
        if not Path(folder).is_dir():
            raise PrerequisiteError(f"the folder {folder} is not there: mount it")


def verify_tree(folder: Path, sha256: str, what: str) -> None:
    """Raises IntegrityError when `folder` is not the tree of that sha256 (see core.artifacts)."""
    if tree_sha256(folder) != sha256:
        raise IntegrityError(f"the {what} {folder} is not the tree that the spec names")


def tree_sha256(folder: Path) -> str:
    """SHA-256 of the manifest of the regular files below `folder`; links and special files are no part of it."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if is_regular(path)}
    manifest = Manifest(files=tuple(_tree_file(name, path) for name, path in sorted(files.items())))
    return manifest.ref(ArtifactKind.CHECKPOINT).sha256


def is_regular(path: Path) -> bool:
    """A file of its own, no link."""
    return path.exists() and stat.S_ISREG(path.lstat().st_mode)


def _tree_file(name: str, path: Path) -> TreeFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    facts = path.stat()
    return TreeFile(path=name, sha256=digest, size_bytes=facts.st_size, executable=bool(facts.st_mode & stat.S_IXUSR))


def clear(spec: EvaluationSpec) -> None:
    """Take away an older report, so that the one that is there is always this run's."""
    outputs = Path(spec.outputs)
    outputs.mkdir(parents=True, exist_ok=True)
    for name in (REPORT, PER_EXAMPLE):
        (outputs / name).unlink(missing_ok=True)


def write(spec: EvaluationSpec, measurement: Measurement, seconds: float) -> None:
    """Write the rows' results, then the report."""
    report = EvaluationReport(
        spec_sha256=sha256_hex(canonical_json(spec)),
        outcome=_outcome(Path(spec.outputs), measurement),
        checkpoint_form=measurement.form,
        versions=measurement.versions,
        seconds=round(seconds, 3),
    )
    write_whole(Path(spec.outputs) / REPORT, canonical_json(report))


def _outcome(outputs: Path, measurement: Measurement) -> EvaluationOutcome:
    if measurement.refusal is not None:
        return Refused(reason=measurement.refusal)
    lines = b"".join(canonical_json(row) + b"\n" for row in measurement.rows)
    write_whole(outputs / PER_EXAMPLE, lines)
    return Scored(
        value=corpus_loss(measurement.rows),
        weight=sum(row.weight for row in measurement.rows),
        rows=len(measurement.rows),
        per_example_sha256=sha256_hex(lines),
        rewards=measurement.rewards,
        kl=measurement.kl,
    )


def write_whole(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(path)
