"""The contract's exact arguments, and clear words where something is missing."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from core.contract import dataset_file, model_folder
from tests.miner_templates.conftest import CHAT, DPO, GRPO, KIND, Kind, World


def paths(train: ModuleType, world: World) -> object:
    return train.Paths(*(world.root / name for name in ("models", "datasets", "checkpoints")))


def test_the_contracts_arguments_are_understood(train: ModuleType, world: World) -> None:
    told = train.parse(world.arguments(30))
    assert (told.task_id, told.model, told.expected_repo_name) == ("task-1", "god/tiny", "repo-1")
    assert told.dataset_type == KIND
    assert told.hours_to_complete * 3600 == pytest.approx(30, abs=0.01)


def test_it_looks_where_the_platform_puts_things(train: ModuleType) -> None:
    assert str(train.Paths().models / "god--tiny") == model_folder("god/tiny")
    assert str(train.Paths().datasets / "t_train_data.json") == dataset_file("t")
    assert train.Paths().checkpoints == Path("/app/checkpoints")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task_type": "ImageTask"}, "InstructTextTask"),
        ({"dataset_type": "{"}, "--dataset-type"),
        ({"hours_to_complete": "0"}, "above 0"),
        ({"hours_to_complete": "nan"}, "above 0"),
        ({"file_format": "xml"}, "--file-format"),
    ],
)
def test_senseless_arguments_end_it(
    train: ModuleType, world: World, capsys: pytest.CaptureFixture[str], changes: dict[str, str], words: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.parse(world.arguments(30, **changes))
    assert stopped.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.parametrize("field", ["field_instruction", "field_output"])
def test_a_missing_column_is_named(train: ModuleType, world: World, field: str) -> None:
    kind = json.dumps(KIND | {field: "nothing"})
    with pytest.raises(SystemExit, match=rf"lacks the column 'nothing' \({field}\)"):
        train.Job(train.parse(world.arguments(30, dataset_type=kind)), paths(train, world))


@pytest.mark.parametrize(
    ("kind", "missing"),
    [(CHAT, "chat_column"), (DPO, "field_rejected"), (GRPO, "field_prompt")],
    ids=["chat", "dpo", "grpo"],
)
def test_the_columns_of_every_kind_are_looked_for(train: ModuleType, world: World, kind: Kind, missing: str) -> None:
    world.become(kind)
    told = kind.arguments | {"dataset_type": json.dumps(json.loads(kind.arguments["dataset_type"]) | {missing: "none"})}
    with pytest.raises(SystemExit, match=rf"lacks the column 'none' \({missing}\)"):
        train.Job(train.parse(world.arguments(30, **told)), paths(train, world))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, 0),
        ({"KL_COEF": "0.2"}, 0),
        ({"USE_KL": "true", "KL_COEF": "0.2"}, 0.2),
        ({"USE_KL": "0", "KL_COEF": "1"}, 0),
    ],
    ids=str,
)
def test_the_environment_says_what_the_kl_counts(
    train: ModuleType, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], expected: float
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert train.kl_coefficient() == expected


def test_missing_data_and_model_are_named(train: ModuleType, world: World) -> None:
    with pytest.raises(SystemExit, match=r"no base model at .*god--other"):
        train.Job(train.parse(world.arguments(30, model="god/other")), paths(train, world))
    with pytest.raises(SystemExit, match=r"no training data at .*task-2_train_data\.json"):
        train.Job(train.parse(world.arguments(30, task_id="task-2")), paths(train, world))
    world.write_rows([])
    with pytest.raises(SystemExit, match="no JSON list of rows"):
        train.Job(train.parse(world.arguments(30)), paths(train, world))


@pytest.mark.slow
def test_a_refusal_is_one_line_and_a_nonzero_exit(world: World) -> None:
    process = world.start(30, model="god/other")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1 and said.count("\n") == 1 and "no base model" in said
