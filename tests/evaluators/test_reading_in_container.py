"""Rows read in the evaluation container as it is, on a base with a template of its own."""

import json
import shutil
from pathlib import Path

import pytest

from core.challenge import ChatDataset
from core.compute import Ending
from core.reading import ReadingReport, ReadingSpec
from tests.builders import container_spec, limits
from tests.evaluators.test_reading import PROBLEMS, SOUND, TEMPLATE, Row, talk
from tests.gateways.compute.machine import Machine

pytestmark = pytest.mark.sandbox
SPEC = ReadingSpec(dataset_type=ChatDataset(chat_template="base"))


def problem_of(folder: Path, base: Path, train: list[Row]) -> str | None:
    machine = Machine("bubblewrap", folder, "")
    template = Path(shutil.copytree(base, folder / "base")) / "chat_template.jinja"
    template.write_text(TEMPLATE)
    for path in template.parent.iterdir():
        path.chmod(0o644)  # safetensors are saved for their owner alone
    files = {"spec.json": SPEC.model_dump(mode="json"), "test.json": SOUND, "train.json": train}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    places = {"spec.json": "/job/spec.json", "base": SPEC.base_model, "test.json": SPEC.test, "train.json": SPEC.train}
    inputs = tuple({"source": str(folder / name), "target": target} for name, target in places.items())
    image = machine.compute.trusted_image("evaluator-text")
    changes = {"command": ("rows", "/job"), "output_target": SPEC.outputs, "limits": limits(seconds=120.0)}
    machine.compute.start(container_spec("run", image=image, inputs=inputs, **changes))
    assert machine.ended(seconds=120).ending is Ending.FINISHED, machine.log()
    return ReadingReport.model_validate_json((machine.output() / "report.json").read_bytes()).problem


def test_sound_rows(tmp_path: Path, base: Path) -> None:
    assert problem_of(tmp_path, base, SOUND) is None


def test_a_row_on_which_its_template_loops(tmp_path: Path, base: Path) -> None:
    assert problem_of(tmp_path, base, [*SOUND, talk("loop")]) == f"row 7 of train: {PROBLEMS['loop']}"
