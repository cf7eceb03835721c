"""The rows of a challenge, read as measuring reads them and without its weights; the job is in core.reading."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.challenge import DatasetType
from core.errors import PrerequisiteError
from core.reading import ReadingReport, ReadingSpec
from core.value import canonical_json
from evaluators import job
from evaluators.challenge import counting, samples_of
from evaluators.loading import load_base, load_tokenizer
from evaluators.rows import Row, RowError

MOST_AT_ONCE = 400
"""Rows of train. A test set has no more: so whatever binds all of its rows together binds train no tighter."""


def answer(folder: Path) -> None:
    """Write the report. Raises PrerequisiteError for a job that is not whole: that is no fault of the challenge."""
    spec = ReadingSpec.model_validate_json((folder / job.SPEC).read_bytes())
    job.require_folders(spec.base_model)
    test, train = (job.parse_rows(Path(path).read_bytes(), path) for path in (spec.test, spec.train))
    report = ReadingReport(problem=problem_of(spec, test, train))
    Path(spec.outputs).mkdir(parents=True, exist_ok=True)
    job.write_whole(Path(spec.outputs) / job.REPORT, canonical_json(report))
    print(report.problem or f"{len(test)} test rows and {len(train)} of train are sound", flush=True)


def problem_of(spec: ReadingSpec, test: Sequence[Row], train: Sequence[Row]) -> str | None:
    """What measuring would say about base and rows."""
    try:
        base = load_base(Path(spec.base_model))
        tokenizer, length = load_tokenizer(base), base.length(spec.max_tokens)
        counting(samples_of(test, spec.dataset_type, tokenizer, length))
        for begin, part in _parts(train):
            _read_train(part, begin, spec.dataset_type, tokenizer, length)
    except PrerequisiteError as e:
        return str(e)
    return None


def _parts(rows: Sequence[Row]) -> Iterator[tuple[int, Sequence[Row]]]:
    return ((begin, rows[begin : begin + MOST_AT_ONCE]) for begin in range(0, len(rows), MOST_AT_ONCE))


def _read_train(rows: Sequence[Row], begin: int, dataset: DatasetType, tokenizer: object, length: int) -> None:
    try:
        samples_of(rows, dataset, tokenizer, length)
    except RowError as e:
        raise PrerequisiteError(f"row {begin + e.number} of train: {e.reason}") from e
