"""Per-example results come from the report that an outcome names, and from nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.artifacts import ArtifactKind
from core.errors import IntegrityError
from core.evaluation import Evaluation, ExampleResult, Scored
from core.ids import ChallengeId, TrainingId
from core.training import WorkStatus
from core.value import canonical_json, sha256_hex
from gateways import wiring
from gateways.memory import MemoryCompute, memory_ports
from tasks import evaluations
from tests import builders

ROWS = tuple(
    ExampleResult(row_id=number, row_sha256=builders.sha256(number), total=number / 3, weight=number)
    for number in range(3)
)
LINES = b"".join(canonical_json(row) + b"\n" for row in ROWS)


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GOD_STATE", str(tmp_path / "state"))
    wiring.settings.cache_clear()
    with wiring.use_ports(memory_ports(MemoryCompute(lambda *_: None, tmp_path))):  # type: ignore[arg-type,return-value]
        yield
    wiring.settings.cache_clear()


def measured(folder: Path, lines: bytes | None = LINES, promised: bytes = LINES, **changes: Any) -> Evaluation:
    """An evaluation whose report holds these lines, and whose outcome names others."""
    folder.mkdir()
    (folder / "report.json").write_bytes(b"{}")
    if lines is not None:
        (folder / "per_example.jsonl").write_bytes(lines)
    outcome = Scored(value=1.0, weight=3, rows=3, per_example_sha256=sha256_hex(promised))
    report = wiring.ports().artifacts.put_tree(ArtifactKind.REPORT, folder)
    fields = {"status": WorkStatus.DONE, "outcome": outcome, "report": report}
    return builders.evaluation(TrainingId("training"), ChallengeId("challenge"), **fields | changes)


def test_rows_come_in_the_test_sets_order(tmp_path: Path) -> None:
    evaluation = measured(tmp_path / "report")
    assert evaluations.load_examples.fn([evaluation]) == {evaluation.evaluation_id: ROWS}
    assert evaluations.load_examples.fn([]) == {}


@pytest.mark.parametrize(
    ("lines", "promised"),
    [
        (None, LINES),
        (LINES, LINES + b"\n"),
        (LINES[:-9], LINES),
        (b"[]\n", b"[]\n"),
        (b'{"row_id": 0}', b'{"row_id": 0}'),
    ],
    ids=["none", "others", "cut", "no object", "fields missing"],
)
def test_what_the_outcome_does_not_name_is_not_used(tmp_path: Path, lines: bytes | None, promised: bytes) -> None:
    evaluation = measured(tmp_path / "report", lines, promised)
    with pytest.raises(IntegrityError, match=str(evaluation.evaluation_id)):
        evaluations.load_examples.fn([evaluation])


def test_a_report_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "EXAMPLES_MOST_BYTES", len(LINES) - 1)
    with pytest.raises(IntegrityError, match="at most"):
        evaluations.load_examples.fn([measured(tmp_path / "report")])


@pytest.mark.parametrize("changes", [{"outcome": builders.refused()}, {"report": None}])
def test_an_evaluation_without_a_value_has_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="no value"):
        evaluations.load_examples.fn([measured(tmp_path / "report", **changes)])
