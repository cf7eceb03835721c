"""Rows read before anybody trains on them: what measuring would refuse is told, with the row."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.challenge import ChatDataset, DatasetType, InstructDataset
from core.reading import ReadingReport, ReadingSpec
from evaluators import reading
from evaluators.__main__ import main
from tests.evaluators.challenges import KINDS, rows_of

Row = dict[str, Any]
BASE_TEMPLATE = ChatDataset(chat_template="base")
SAY = "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
TEMPLATE = """\
{%- set asked = messages[0].content %}
{%- if asked == 'raise' %}{{ raise_exception('only user and assistant') }}{% endif %}
{%- if asked == 'reach' %}{{ messages.__class__ }}{% endif %}
{%- if asked == 'loop' %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}
{%- for m in messages %}{% if asked == 'rewrite' %}{{ m.content | upper }}{% else %}SAY{% endif %}{% endfor %}
""".replace("SAY", SAY)
"""As chatml, but for conversations that begin with one of these words."""
PROBLEMS = {
    "raise": "the chat template 'base' is refused: TemplateError: only user and assistant; use chatml",
    "reach": "the chat template 'base' is refused: SecurityError: it reaches for '__class__'; use chatml",
    "loop": "the chat template 'base' is refused: it takes longer than 2 s; use chatml",
    "rewrite": "the chat template 'base' leaves out an answer, or writes it twice: drop the row, or use chatml",
}


class Desk:
    """A base with that template, and what is to be read on it."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, Path(shutil.copytree(base, folder / "base"))
        (self.base / "chat_template.jinja").write_text(TEMPLATE)

    def write(self, test: Any, train: Any, dataset: DatasetType = BASE_TEMPLATE) -> Path:
        job = self.folder / "job"
        job.mkdir()
        for name, rows in {"test": test, "train": train}.items():
            (job / f"{name}.json").write_text(json.dumps(rows))
        paths = {"base_model": self.base, "outputs": job / "outputs"}
        paths |= {name: job / f"{name}.json" for name in ("test", "train")}
        spec = ReadingSpec(dataset_type=dataset, **{name: str(path) for name, path in paths.items()})
        (job / "spec.json").write_text(spec.model_dump_json())
        return job

    def problem(self, test: list[Row], train: list[Row], dataset: DatasetType = BASE_TEMPLATE) -> str:
        """Empty when there is none."""
        job = self.write(test, train, dataset)
        assert main(["rows", str(job)]) == 0
        return ReadingReport.model_validate_json((job / "outputs/report.json").read_bytes()).problem or ""


@pytest.fixture
def desk(tmp_path: Path, base: Path) -> Desk:
    return Desk(tmp_path, base)


def talk(asked: str, answer: str = "sum") -> Row:
    return {"conversations": [{"from": "user", "value": asked}, {"from": "assistant", "value": answer}]}


SOUND = [talk(f"question {number}") for number in range(7)]


@pytest.mark.parametrize("kind", KINDS)
def test_sound_rows_of_every_kind_that_has_samples(desk: Desk, kind: str) -> None:
    rows = rows_of(kind)
    assert desk.problem(rows[:4], rows[4:], KINDS[kind][1]) == ""


@pytest.mark.parametrize("word", PROBLEMS)
def test_a_test_row_that_its_template_does_not_serve(desk: Desk, word: str) -> None:
    assert desk.problem([*SOUND, talk(word)], SOUND) == f"row 7 of the test set: {PROBLEMS[word]}"


def test_a_row_of_train_goes_by_its_own_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_AT_ONCE", 3)
    assert desk.problem(SOUND, [*SOUND, talk("rewrite")]) == f"row 7 of train: {PROBLEMS['rewrite']}"


def test_a_format_that_reaches_for_attributes(desk: Desk) -> None:
    rows = rows_of("instruct")
    told = desk.problem(rows[:4], rows[4:], InstructDataset(format="{instruction.x}"))
    assert told == "dataset_type.format '{instruction.x}' may have only the fields ['input', 'instruction'], plain"


def test_a_test_set_of_silence(desk: Desk) -> None:
    assert desk.problem([talk("a", "")], SOUND).startswith("the test set has no answer token at all")


def drop(name: str) -> Callable[[Path], None]:
    return lambda base: (base / name).unlink()


def say(name: str, text: str) -> Callable[[Path], None]:
    return lambda base: (base / name).write_text(text) and None


BASES = {
    "no template": (drop("chat_template.jinja"), "the base model has no chat template: prepare the challenge with"),
    "no config": (drop("config.json"), "has no config.json: prepare the challenge again"),
    "no weights": (drop("model.safetensors"), "has no safetensors weights"),
    "a tokenizer that is none": (say("tokenizer.json", "{}"), "the base's tokenizer cannot be loaded"),
    "an unknown architecture": (say("config.json", '{"model_type": "abacus"}'), "cannot be loaded"),
}


@pytest.mark.parametrize("name", BASES)
def test_a_base_that_cannot_read(desk: Desk, name: str) -> None:
    change, reason = BASES[name]
    change(desk.base)
    assert reason in desk.problem(SOUND, SOUND)


def test_a_tokenizer_that_does_not_tell_where_its_tokens_stand(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SimpleNamespace(is_fast=False, chat_template=TEMPLATE, special_tokens_map={})
    monkeypatch.setattr(reading, "load_tokenizer", lambda base: slow)
    assert "does not tell where its tokens stand: choose another base" in desk.problem(SOUND, SOUND)


@pytest.mark.parametrize("rows", [[], {}, "rows"])
def test_a_job_that_is_not_whole_is_ours(desk: Desk, rows: Any, capsys: pytest.CaptureFixture[str]) -> None:
    job = desk.write(SOUND, rows)
    assert main(["rows", str(job)]) == 2 and "train.json is not a JSON list of rows" in capsys.readouterr().err
    assert not (job / "outputs/report.json").exists()


def test_a_base_that_is_not_mounted_is_ours(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    job = desk.write(SOUND, SOUND)
    shutil.rmtree(desk.base)
    assert main(["rows", str(job)]) == 2 and "is not there: mount it" in capsys.readouterr().err
