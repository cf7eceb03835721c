"""What is ours: no report, a code that is not 0, and one line that says why."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.artifacts import ArtifactKind
from core.challenge import ChallengeKind
from core.evaluation import EvaluationSpec
from core.value import canonical_json, sha256_hex
from evaluators.__main__ import main
from evaluators.job import tree_sha256
from gateways.memory.artifacts import MemoryArtifacts
from tests.evaluators.bench import ROWS, Bench, Result, Tensors

OTHER = "0" * 64
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "another test set": ({"test_sha256": OTHER}, "the test set .* has another SHA-256 than the spec says"),
    "another base": ({"base_sha256": OTHER}, "the base model .* is not the tree"),
    "another checkpoint": ({"checkpoint_sha256": OTHER}, "the checkpoint .* is not the tree"),
    "no test set": ({"test": "/nowhere/test.json"}, "/nowhere/test.json is not there"),
    "no base": ({"base_model": "/nowhere/base"}, "/nowhere/base is not there"),
    "no checkpoint": ({"checkpoint": "/nowhere/c"}, "/nowhere/c is not there"),
    "another kind": ({"kind": ChallengeKind.GRPO}, "GrpoTask by .* is not measured here"),
    "another definition": ({"definition": "instruct/99"}, "'instruct/99' is not measured here"),
}


def fault_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    code, line = main([str(folder)]), capsys.readouterr().err
    assert code == 2 and line.count("\n") == 1
    assert not (folder / "outputs" / "report.json").exists()
    return line


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_ours(bench: Bench, tuned: Tensors, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bench.save(tuned)
    changes, reason = FAULTS[name]
    assert re.search(reason, fault_of(bench.write_job(**changes), capsys))


@pytest.mark.parametrize("rows", [[], {}, [1], "rows"])
def test_a_test_set_that_is_no_list_of_rows(bench: Bench, rows: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not a JSON list of rows" in fault_of(bench.write_job(rows), capsys)


def test_a_job_without_a_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "spec.json is not there: write the EvaluationSpec" in fault_of(tmp_path, capsys)
    (tmp_path / "spec.json").write_text('{"evaluation_id": "e1", "surprise": 1}')
    assert "spec.json is no EvaluationSpec" in fault_of(tmp_path, capsys)
    (tmp_path / "spec.json").write_text("{")
    assert "spec.json is no EvaluationSpec" in fault_of(tmp_path, capsys)


def test_the_command_without_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2 and "usage: python -m evaluators" in capsys.readouterr().err


def asks_for_code(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}}))
    (base / "modeling.py").write_text("raise SystemExit('run')")


def of_no_known_type(base: Path) -> None:
    (base / "config.json").write_text('{"model_type": "unheard-of"}')


def without_weights(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")


def with_broken_weights(base: Path) -> None:
    (base / "model.safetensors").write_bytes(b"x" * 100)


def without_tokenizer(base: Path) -> None:
    (base / "tokenizer_config.json").unlink()


def without_config(base: Path) -> None:
    (base / "config.json").unlink()


def with_a_broken_config(base: Path) -> None:
    (base / "config.json").write_text("{")


SPOILT: dict[Callable[[Path], None], str] = {
    asks_for_code: "asks for code of its own",
    of_no_known_type: "cannot be loaded",
    without_weights: "has no safetensors weights",
    with_broken_weights: "model.safetensors is not a sound safetensors file",
    without_tokenizer: "has no tokenizer_config.json",
    without_config: "has no config.json",
    with_a_broken_config: "config.json is not JSON",
}


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_base_is_ours(
    tmp_path: Path, base: Path, tuned: Tensors, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(base, spoilt)
    spoil(spoilt)
    bench = Bench(tmp_path, spoilt)
    bench.save(tuned)
    assert SPOILT[spoil] in fault_of(bench.write_job(), capsys)


def test_an_older_report_never_stands_for_this_run(
    bench: Bench, tuned: Tensors, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.save(tuned)
    folder = bench.write_job()
    assert main([str(folder)]) == 0
    (folder / "test.json").write_text("[]")
    assert "another SHA-256" in fault_of(folder, capsys)
    assert list((folder / "outputs").iterdir()) == []


def test_the_report_names_its_spec(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    result = bench.evaluate()
    spec = EvaluationSpec.model_validate_json((result.outputs.parent / "spec.json").read_bytes())
    assert result.report.spec_sha256 == sha256_hex(canonical_json(spec))
    assert {path.name for path in result.outputs.iterdir()} == {"report.json", "per_example.jsonl"}


def test_a_tree_is_hashed_as_the_artifact_store_does(tmp_path: Path) -> None:
    for name in ("b", "a/c", "a-b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "b").chmod(0o755)
    before = tree_sha256(tmp_path)
    assert before == MemoryArtifacts().put_tree(ArtifactKind.MODEL, tmp_path).sha256
    (tmp_path / "b").chmod(0o644)
    assert tree_sha256(tmp_path) != before


def test_jobs_of_one_challenge_share_the_base_and_nothing_else(
    tmp_path: Path, base: Path, tuned: Tensors, capsys: pytest.CaptureFixture[str]
) -> None:
    """Good, refused, ours, good: every job's files are those of the job alone."""
    benches = []
    for name in ("good", "diverged", "foreign", "another"):
        (tmp_path / name).mkdir()
        benches.append(Bench(tmp_path / name, base))
    good, diverged, foreign, another = benches
    good.save(tuned)
    diverged.save(tuned | {"model.norm.weight": torch.full((32,), torch.nan)})
    foreign.save(tuned)
    another.save({name: tensor + 0.01 for name, tensor in tuned.items()})
    alone = [each.evaluate() for each in (good, another)]
    folders = [good.write_job(), diverged.write_job(), foreign.write_job(checkpoint_sha256=OTHER), another.write_job()]
    folders += [good.write_job(ROWS[:1])]
    capsys.readouterr()
    assert main([str(folder) for folder in folders]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    results = [Result(0, folder / "outputs") for folder in folders]
    assert (results[0].lines, results[3].lines) == (alone[0].lines, alone[1].lines)
    assert "not finite" in results[1].refusal
    assert not (results[2].outputs / "report.json").exists()
    assert results[4].examples == results[0].examples[:1]
