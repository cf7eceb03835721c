"""Evaluations run in this process."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from core.challenge import ChallengeKind
from core.evaluation import EvaluationReport, EvaluationSpec, ExampleResult, Refused, Scored
from evaluators.__main__ import main
from evaluators.job import tree_sha256

Tensors = dict[str, torch.Tensor]
ROWS: list[dict[str, Any]] = [
    {"instruct": "Say what it does.", "input": "def add(a, b): return a + b", "output": "Return the sum."},
    {"instruct": "Zähle die Namen 🙂", "input": "", "output": "数を数える関数です。"},
    {"instruct": "for name in names", "input": None, "output": "print(name) " * 3},
    {"instruct": "Say nothing.", "input": "x", "output": ""},
    {"instruct": "Raise when it is missing", "output": "\n"},
]


@dataclass(frozen=True)
class Result:
    code: int
    outputs: Path

    @property
    def report(self) -> EvaluationReport:
        return EvaluationReport.model_validate_json((self.outputs / "report.json").read_bytes())

    @property
    def lines(self) -> bytes:
        return (self.outputs / "per_example.jsonl").read_bytes()

    @property
    def examples(self) -> list[ExampleResult]:
        return [ExampleResult.model_validate_json(line) for line in self.lines.splitlines()]

    @property
    def scored(self) -> Scored:
        assert isinstance(self.report.outcome, Scored), self.report.outcome
        return self.report.outcome

    @property
    def refusal(self) -> str:
        """The reason; there is no number beside it."""
        assert self.code == 0 and isinstance(self.report.outcome, Refused)
        assert not (self.outputs / "per_example.jsonl").exists()
        return self.report.outcome.reason


class Bench:
    def __init__(self, folder: Path, base: Path) -> None:
        self._folder, self.base = folder, base
        self.checkpoint = folder / "checkpoint"
        self.checkpoint.mkdir()
        self._runs = 0

    def save(self, tensors: Tensors, name: str = "model.safetensors", metadata: dict[str, str] | None = None) -> None:
        save_file(tensors, self.checkpoint / name, metadata)

    def write_job(self, rows: Any = ROWS, **changes: Any) -> Path:
        self._runs += 1
        folder = self._folder / f"job-{self._runs}"
        folder.mkdir()
        test = folder / "test.json"
        test.write_text(json.dumps(rows))
        paths = {"base_model": self.base, "checkpoint": self.checkpoint, "test": test, "outputs": folder / "outputs"}
        spec = EvaluationSpec(
            evaluation_id="e1",
            kind=ChallengeKind.INSTRUCT,
            **{name: str(path) for name, path in paths.items()},
            base_sha256=tree_sha256(self.base),
            checkpoint_sha256=tree_sha256(self.checkpoint),
            test_sha256=sha256(test.read_bytes()).hexdigest(),
        )
        (folder / "spec.json").write_text(spec.model_copy(update=changes).model_dump_json())
        return folder

    def evaluate(self, rows: Any = ROWS, **changes: Any) -> Result:
        folder = self.write_job(rows, **changes)
        return Result(main([str(folder)]), folder / "outputs")
