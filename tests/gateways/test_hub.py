"""The hub in a folder, with models and datasets as people leave them there."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from core.artifacts import ArtifactKind
from core.challenge import ChallengeKind, DatasetInfo, ModelInfo
from core.errors import IntegrityError, PrerequisiteError
from core.value import sha256_hex
from gateways import hub as hub_module
from gateways.hub import FolderHub
from gateways.s3 import S3Artifacts
from gateways.settings import ArtifactSettings

ROWS = [{"question": "why?", "answer": "because\u2028so"}, {"question": "who?", "answer": None}]
CARD = {"kind": "InstructTextTask", "columns": {"instruct": "question", "output": "answer"}}


def weights(shapes: dict[str, list[int]]) -> bytes:
    """A safetensors file of zeros, in F32."""
    header, position = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(position)


def add_model(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        target = folder / "models" / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder / "models" / name


def add_dataset(folder: Path, name: str, lines: bytes, card: Any = CARD) -> Path:
    path = folder / "datasets" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines)
    path.with_suffix(".json").write_text(json.dumps(card))
    return path


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


MODEL = {
    "config.json": b"{}",
    "tokenizer.model": b"tok",
    "chat_template.jinja": b"{{ messages }}",
    "model-00001-of-00002.safetensors": weights({"a": [10, 10], "shared": [5]}),
    "model-00002-of-00002.safetensors": weights({"b": [3], "shared": [5]}),
    "text_encoder/model.safetensors": weights({"a": [7]}),
}
UNUSED = {
    "modeling_evil.py": b"import os",
    "pytorch_model.bin": b"\x80\x04",
    "optimizer.pkl": b"\x80\x04",
    "README.md": b"70B parameters",
    ".cache/config.json": b"{}",
    ".hidden.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_model(tmp_path / "hub", "owner--tiny-70B", MODEL | UNUSED)
    add_dataset(tmp_path / "hub", "made", jsonl(ROWS))
    return tmp_path / "hub"


def only_model(folder: Path) -> ModelInfo:
    (model,) = FolderHub(folder).catalogue().models
    return model


# Catalogue


def test_the_catalogue_says_what_is_there(folder: Path) -> None:
    catalogue = FolderHub(folder).catalogue()
    (model,) = catalogue.models
    assert (model.model_id, model.parameters) == ("owner/tiny-70B", 100 + 5 + 3 + 7)
    assert catalogue.datasets == (
        DatasetInfo(
            dataset_id="made",
            revision=sha256_hex(jsonl(ROWS)),
            kind=ChallengeKind.INSTRUCT,
            rows=2,
            columns=CARD["columns"],
        ),
    )


def test_the_catalogue_is_sorted_by_id(folder: Path) -> None:
    for name in ("zeta", "alpha--z", "alpha--a", "Beta"):
        add_model(folder, name, MODEL)
        add_dataset(folder, name, jsonl(ROWS))
    catalogue = FolderHub(folder).catalogue()
    names = ["Beta", "alpha/a", "alpha/z"]
    assert [model.model_id for model in catalogue.models] == [*names, "owner/tiny-70B", "zeta"]
    assert [dataset.dataset_id for dataset in catalogue.datasets] == [*names, "made", "zeta"]


def test_a_revision_is_of_the_files_that_are_used_and_no_others(folder: Path) -> None:
    before = only_model(folder)
    add_model(folder, "owner--tiny-70B", {"README.md": b"other words", "new.py": b""})
    assert only_model(folder) == before
    add_model(folder, "owner--tiny-70B", {"config.json": b"{ }"})
    assert only_model(folder).revision != before.revision


def test_weights_are_read_again_only_when_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FolderHub(folder)
    first = hub.catalogue()
    read: list[Path] = []
    original = hub_module.snapshot
    monkeypatch.setattr(hub_module, "snapshot", lambda path: (read.append(path), original(path))[1])
    assert hub.catalogue() == first
    assert read == []
    path = folder / "models" / "owner--tiny-70B" / "config.json"
    os.utime(path, ns=(1, 1))
    assert hub.catalogue() == first
    assert path in read
    (folder / "datasets" / "made.jsonl").write_bytes(jsonl(ROWS[:1]))
    assert hub.catalogue().datasets[0].rows == 1


def test_an_empty_hub_is_an_empty_catalogue_and_a_missing_one_an_error(tmp_path: Path) -> None:
    assert FolderHub(tmp_path).catalogue().models == ()
    with pytest.raises(PrerequisiteError, match=r"there is no hub at .*GOD_HUB__FOLDER"):
        FolderHub(tmp_path / "none").catalogue()


# Models


def test_a_model_is_fetched_without_code(folder: Path, tmp_path: Path) -> None:
    into = FolderHub(folder).fetch_model(only_model(folder), tmp_path / "model")
    fetched = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert fetched == MODEL


def test_the_revision_is_the_artifacts_sha256(folder: Path, tmp_path: Path, s3_settings: ArtifactSettings) -> None:
    (folder / "models" / "owner--tiny-70B" / "config.json").chmod(0o755)
    model = only_model(folder)
    fetched = FolderHub(folder).fetch_model(model, tmp_path / "model")
    assert S3Artifacts(s3_settings).put_tree(ArtifactKind.MODEL, fetched).sha256 == model.revision


def test_a_model_that_has_changed_is_not_handed_out(folder: Path, tmp_path: Path) -> None:
    model = only_model(folder)
    add_model(folder, "owner--tiny-70B", {"config.json": b"{ }"})
    with pytest.raises(IntegrityError, match=f"not {model.revision}"):
        FolderHub(folder).fetch_model(model, tmp_path / "model")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": b"{}"}, "needs config.json and"),
        ({"model.safetensors": weights({"a": [1]})}, "needs config.json and"),
        ({"config.json": b"{}", "model.safetensors": b"\x80\x04pickle"}, r"is not a sound safetensors file"),
        ({"config.json": b"{}", "model.safetensors": weights({"a": [9]})[:-1]}, "run past the file's end"),
    ],
)
def test_a_folder_that_is_no_model_is_named(folder: Path, files: dict[str, bytes], said: str) -> None:
    add_model(folder, "broken", files)
    with pytest.raises(PrerequisiteError, match=f"models/broken.* {said}"):
        FolderHub(folder).catalogue()


def test_links_are_not_followed(folder: Path) -> None:
    (folder / "models" / "owner--tiny-70B" / "vocab.txt").symlink_to("/etc/passwd")
    with pytest.raises(PrerequisiteError, match=r"vocab\.txt .* is a link or special file.*copy the files"):
        FolderHub(folder).catalogue()


def test_what_is_not_in_the_hub_is_named(folder: Path, tmp_path: Path) -> None:
    hub = FolderHub(folder)
    with pytest.raises(PrerequisiteError, match="the model owner/none is not in the hub"):
        hub.fetch_model(ModelInfo(model_id="owner/none", revision="1" * 64, parameters=1), tmp_path / "model")
    with pytest.raises(PrerequisiteError, match="the dataset none is not in the hub"):
        hub.rows("none", "1" * 64)


@pytest.mark.parametrize("name", ["", "..", "../made", "a/../made", "/etc/passwd", "a/b/c", "a--b", "a\0", "a b", ".a"])
def test_an_id_never_leads_out_of_the_hub(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not an id of the hub"):
        FolderHub(folder).rows(name, "1" * 64)


# Datasets


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_rows_come_in_their_own_order(folder: Path, end: bytes) -> None:
    data = jsonl(ROWS).removesuffix(b"\n") + end
    add_dataset(folder, "made", data)
    assert FolderHub(folder).rows("made", sha256_hex(data)) == ROWS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"question": "\xff"}', "not UTF-8 at its byte 15; convert"),
        (b'{"question": ', "not JSON .*; correct or remove the line"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["question"]', "not a JSON object; correct"),
        (b'"question"', "not a JSON object; correct"),
        (b'{"question": NaN}', r"not JSON \(NaN is no JSON number\)"),
    ],
)
def test_a_line_that_is_no_row_is_named(folder: Path, line: bytes, said: str) -> None:
    data = jsonl(ROWS) + line + b"\n" + jsonl(ROWS)
    add_dataset(folder, "made", data)
    for read in (FolderHub(folder).catalogue, lambda: FolderHub(folder).rows("made", sha256_hex(data))):
        with pytest.raises(PrerequisiteError, match=rf"made\.jsonl, line 3: {said}"):
            read()


def test_a_dataset_that_has_changed_is_not_handed_out(folder: Path) -> None:
    hub = FolderHub(folder)
    (dataset,) = hub.catalogue().datasets
    add_dataset(folder, "made", jsonl(ROWS * 2))
    with pytest.raises(IntegrityError, match=f"not {dataset.revision}: put that one back"):
        hub.rows("made", dataset.revision)
    with pytest.raises(IntegrityError):
        hub.rows("made", sha256_hex(jsonl(ROWS * 2))[:8])


def test_a_card_may_state_what_is_true(folder: Path) -> None:
    revision = sha256_hex(jsonl(ROWS))[:40]
    add_dataset(folder, "made", jsonl(ROWS), CARD | {"dataset_id": "made", "rows": 2, "revision": revision})
    (dataset,) = FolderHub(folder).catalogue().datasets
    assert dataset.revision == revision
    assert FolderHub(folder).rows("made", revision) == ROWS


def test_a_card_may_ask_for_written_reward_functions(folder: Path) -> None:
    card = {"kind": "GrpoTask", "columns": {"prompt": "question"}, "written_rewards": 3}
    add_dataset(folder, "made", jsonl(ROWS), card)
    add_dataset(folder, "more", jsonl(ROWS), card | {"written_rewards": 0})
    (folder / "datasets/both.json").write_text(
        json.dumps({"kind": "GrpoTask", "mix": ["made", "more"], "written_rewards": 2})
    )
    asked = {d.dataset_id: d.written_rewards for d in FolderHub(folder).catalogue().datasets}
    assert asked == {"made": 3, "more": 0, "both": 2}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"rows": 3}, "states rows 3, but it is 2; correct it"),
        ({"dataset_id": "other"}, "states dataset_id other, but it is made; correct it"),
        ({"revision": "1" * 64}, "states revision 1+, but"),
        ({"kind": "Poetry"}, "is no dataset's card: kind:"),
        ({"columns": None}, "is no dataset's card: columns:"),
        ({"surprise": 1}, "is no dataset's card: surprise:"),
        ({"written_rewards": 1}, "is no dataset's card: written_rewards is for GrpoTask"),
    ],
)
def test_a_card_that_is_wrong_is_named(folder: Path, facts: dict[str, Any], said: str) -> None:
    add_dataset(folder, "made", jsonl(ROWS), CARD | facts)
    with pytest.raises(PrerequisiteError, match=rf"made\.json {said}"):
        FolderHub(folder).catalogue()


def test_a_dataset_without_a_card_or_rows_is_named(folder: Path) -> None:
    add_dataset(folder, "made", b"")
    with pytest.raises(PrerequisiteError, match=r"made\.jsonl is empty"):
        FolderHub(folder).catalogue()
    (folder / "datasets" / "made.json").unlink()
    with pytest.raises(PrerequisiteError, match=r"made\.jsonl has no card: write"):
        FolderHub(folder).catalogue()
