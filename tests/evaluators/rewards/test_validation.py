import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.challenge import GrpoDataset, RewardFunction
from core.rewards.contract import of_source
from core.rewards.library import entries
from core.rewards.validation import ValidationReport, ValidationSpec
from evaluators.rewards.__main__ import main
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.validation import validate

ROWS = [{"prompt": f"row {number}", "extra": {"answer": number}} for number in range(12)]
FAILS_ON_LATE_ROWS = (
    "def late(completions, extra_data, **kwargs):\n    return [1 / (9 - extra_data[0]['answer'])] * 2\n"
)
BEYOND = "def beyond(completions, **kwargs):\n    return [2, -1.5]\n"


def test_verdicts(sandbox: Sandbox) -> None:
    functions = (of_source(FAILS_ON_LATE_ROWS), of_source(BEYOND), entries()["final_number"].function)
    late, beyond, sound = validate(GrpoDataset(reward_functions=functions, extra_column="extra"), ROWS, sandbox)
    assert (late.row, late.reason) == (9, "crash: ZeroDivisionError: division by zero")
    assert str(late) == "late is refused: crash: ZeroDivisionError: division by zero (on sample row 9)"
    assert beyond.is_sound and beyond.values_cut == 20
    assert sound.is_sound and sound.values_cut == 0 and str(sound) == "final_number: sound"


def test_refused_without_a_row(sandbox: Sandbox) -> None:
    false = of_source(BEYOND).model_copy(update={"func_hash": "0" * 64})
    no_text = of_source(BEYOND).model_copy(update={"reward_func": "x = 1", "func_hash": of_source(BEYOND).func_hash})
    needy = of_source(FAILS_ON_LATE_ROWS)
    verdicts = validate(GrpoDataset(reward_functions=(false, no_text, needy)), ROWS, sandbox)
    assert [verdict.row for verdict in verdicts] == [None] * 3
    assert "func_hash is not the SHA-256" in str(verdicts[0]) and false.reward_id in str(verdicts[0])
    assert verdicts[2].reason == "contract: it needs extra_data, which no column is"


def test_a_renamed_extra_column_is_found(sandbox: Sandbox) -> None:
    rows = [{"prompt": "p", "extra_data": '{"answer": "7"}'}]
    source = 'def f(completions, extra_data, **kwargs):\n    return [float(extra_data[0] == \'{"answer": "7"}\')] * 2\n'
    dataset = GrpoDataset(reward_functions=(of_source(source + "\n"),), extra_column="extra")
    assert validate(dataset, rows, sandbox)[0].is_sound


def write_job(folder: Path, rows: object, *functions: RewardFunction) -> Path:
    (folder / "rows.json").write_text(json.dumps(rows))
    dataset = GrpoDataset(reward_functions=functions, extra_column="extra")
    paths = {"rows": str(folder / "rows.json"), "outputs": str(folder / "outputs")}
    (folder / "spec.json").write_text(ValidationSpec(dataset_type=dataset, **paths).model_dump_json())
    return folder


def test_a_job(tmp_path: Path) -> None:
    assert main([str(write_job(tmp_path, ROWS, of_source(BEYOND), of_source(FAILS_ON_LATE_ROWS)))]) == 0
    report = ValidationReport.model_validate_json((tmp_path / "outputs" / "report.json").read_bytes())
    assert [verdict.is_sound for verdict in report.verdicts] == [True, False]
    assert report.confinement.startswith("seccomp")


SLOW = "def slow(completions, **kwargs):\n    return [float(sum(range(10**8)) > 0) for _ in completions]\n"


def test_of_a_job_that_is_stopped_the_verdicts_until_then_are_there(tmp_path: Path) -> None:
    write_job(tmp_path, ROWS, of_source(BEYOND), of_source(SLOW))
    written = tmp_path / "outputs/report.json"
    job = subprocess.Popen([sys.executable, "-m", "evaluators.rewards", str(tmp_path)])
    while not written.exists():
        assert job.poll() is None
        time.sleep(0.01)
    job.kill()
    job.wait()
    (verdict,) = ValidationReport.model_validate_json(written.read_bytes()).verdicts
    assert verdict.name == "beyond" and verdict.is_sound


@pytest.mark.parametrize("rows", [[], {}, [1], "x"])
def test_broken_jobs_are_ours(tmp_path: Path, rows: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(write_job(tmp_path, rows, of_source(BEYOND)))]) == 2
    assert "not a JSON list of rows" in capsys.readouterr().err
    assert main([]) == main([str(tmp_path / "nowhere")]) == 2
