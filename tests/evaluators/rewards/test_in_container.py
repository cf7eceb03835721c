"""Reward functions in the evaluation container as it is: a sandbox in a sandbox."""

from pathlib import Path

import pytest

from core.challenge import GrpoDataset
from core.compute import Ending
from core.rewards.contract import of_source
from core.rewards.library import entries
from core.rewards.validation import ValidationReport, ValidationSpec
from tests.builders import container_spec, limits
from tests.evaluators.rewards.attempts import FILES, NETWORK, PROCESSES, SIGNALS, TOO_LONG
from tests.gateways.compute.machine import Machine

pytestmark = pytest.mark.sandbox
PLACES = {"spec.json": "/job/spec.json", "rows.json": "/job/inputs/rows.json"}
ROWS = '[{"prompt": "but now", "extra_data": {"tests": ["assert add(1, 1) == 2"]}}]'


def test_validation_in_the_evaluation_container(tmp_path: Path) -> None:
    machine = Machine("bubblewrap", tmp_path, "")
    attempts = [attempt for attempt in (*PROCESSES, *FILES, *NETWORK, *SIGNALS) if attempt.outcome != TOO_LONG]
    hostile = tuple(of_source(f"# {attempt.name}\n{attempt.source}") for attempt in attempts)
    sound = (entries()["varied_words"].function, entries()["passes_tests"].function)
    dataset = GrpoDataset(reward_functions=(*sound, *hostile), extra_column="extra_data")
    (tmp_path / "spec.json").write_text(ValidationSpec(dataset_type=dataset).model_dump_json())
    (tmp_path / "rows.json").write_text(ROWS)
    inputs = [{"source": str(tmp_path / name), "target": target} for name, target in PLACES.items()]
    image = machine.compute.trusted_image("evaluator-text")
    changes = {"command": ("rewards", "/job"), "output_target": "/job/outputs", "limits": limits(seconds=120.0)}
    machine.compute.start(container_spec("run", image=image, inputs=tuple(inputs), **changes))
    assert machine.ended(seconds=120).ending is Ending.FINISHED, machine.log()
    report = ValidationReport.model_validate_json((machine.output() / "report.json").read_bytes())
    assert report.confinement.startswith("seccomp")
    assert [verdict.is_sound for verdict in report.verdicts] == [True] * 2 + [False] * len(hostile)
