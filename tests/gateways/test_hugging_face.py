"""Hugging Face's side of the model hub, against a small hub on the loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from core.challenge import ChallengeKind
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from gateways.hugging_face import HuggingFaceHub
from gateways.repository_files import data_files, declared_patterns
from gateways.settings import HubSettings
from tests.gateways.test_hub import weights
from tests.gateways.web_server import SmallHub, serving

COMMIT = SmallHub.COMMIT
ROWS = [{"question": f"q{number}", "good": "yes", "bad": "no"} for number in range(4)]
COLUMNS = {"prompt": "question", "chosen": "good", "rejected": "bad"}
ENTRY = {"dataset_id": "owner/pairs", "revision": COMMIT, "kind": "DpoTask", "columns": COLUMNS}
MODEL = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model-00001-of-00002.safetensors": weights({"a": [10, 10], "shared": [5]}),
    "model-00002-of-00002.safetensors": weights({"b": [3]}),
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    ).encode(),
}
UNUSED = {
    "consolidated.safetensors": weights({"again": [500]}),
    "modeling_evil.py": b"import os",
    "pytorch_model.bin": b"\x80\x04",
    "original/params.json": b"{}",
    "README.md": b"70B parameters",
    ".gitattributes": b"",
}


def jsonl(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def small() -> SmallHub:
    hub = SmallHub()
    hub.repositories["models", "owner/tiny-0.5B"] = MODEL | UNUSED
    hub.repositories["datasets", "owner/pairs"] = {
        "data/test.jsonl": jsonl(ROWS[3:]),
        "data/train.jsonl": jsonl(ROWS[:3]),
        "pairs.py": b"raise SystemExit",
        "README.md": b"",
    }
    return hub


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be told to stay offline, and `evaluators`, once imported, are."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def endpoint(small: SmallHub) -> Iterator[str]:
    with serving(small.respond) as address:
        yield address


@pytest.fixture
def hub(endpoint: str, tmp_path: Path) -> HuggingFaceHub:
    listed = {"models": [{"model_id": "owner/tiny-0.5B", "revision": COMMIT}], "datasets": [ENTRY]}
    (tmp_path / "catalogue.json").write_text(json.dumps(listed))
    return HuggingFaceHub(HubSettings(folder=tmp_path, endpoint=endpoint), tmp_path / "cache")


def relist(folder: Path, **listed: Any) -> None:
    (folder / "catalogue.json").write_text(json.dumps(listed))


# Catalogue and models


def test_parameters_are_those_of_the_headers_and_no_weights_are_fetched(hub: HuggingFaceHub, small: SmallHub) -> None:
    (model,) = hub.catalogue().models
    assert (model.model_id, model.revision, model.parameters) == ("owner/tiny-0.5B", COMMIT, 100 + 5 + 3)
    (dataset,) = hub.catalogue().datasets
    assert (dataset.kind, dataset.rows, dataset.columns) == (ChallengeKind.DPO, 4, COLUMNS)
    count = len(small.asked)
    assert hub.catalogue().models == (model,) and len(small.asked) == count


def test_a_model_is_fetched_without_code_and_without_its_second_copy(
    hub: HuggingFaceHub, small: SmallHub, tmp_path: Path
) -> None:
    (model,) = hub.catalogue().models
    into = hub.fetch_model(model, tmp_path / "model")
    assert {path.name: path.read_bytes() for path in into.iterdir()} == MODEL
    assert not any(path.endswith((".py", ".bin")) for path in small.asked)


def test_headers_that_lied_when_it_was_drawn_are_found_out(hub: HuggingFaceHub, tmp_path: Path) -> None:
    (model,) = hub.catalogue().models
    with pytest.raises(IntegrityError, match=r"has 108 parameters, not the 7,000 that it was drawn for"):
        hub.fetch_model(model.model_copy(update={"parameters": 7000}), tmp_path / "model")


def test_a_file_other_than_the_listed_one_is_refused(hub: HuggingFaceHub, small: SmallHub, tmp_path: Path) -> None:
    (model,) = hub.catalogue().models
    small.listed["model-00002-of-00002.safetensors"] = weights({"c": [3]})
    with pytest.raises(
        IntegrityError, match=r"model-00002-of-00002.safetensors at c0.* is not the file that the hub lists"
    ):
        hub.fetch_model(model, tmp_path / "model")
    small.listed = {"config.json": b"[]"}
    with pytest.raises(IntegrityError, match=r"config\.json at c0.* is not the file"):
        hub.fetch_model(model, tmp_path / "again")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": b"{}"}, r"has no config.json with \*.safetensors"),
        ({"model.safetensors": weights({"a": [1]})}, r"has no config.json with \*.safetensors"),
        (
            {"config.json": b"{}", "model.safetensors": b"\x80\x04pickle and more of it"},
            "owner/tiny-0.5B at c0.*correct",
        ),
        (
            {name: data for name, data in MODEL.items() if "00002-of" not in name},
            "lacks its shard model-00002-of-00002.safetensors",
        ),
        (MODEL | {"model.safetensors.index.json": b'{"weight_map": []}'}, "names no shards"),
        (MODEL | {"../../evil.json": b"{}"}, r"lists a file '../../evil.json' that leads out of its folder"),
        (MODEL | {"/etc/evil.json": b"{}"}, r"leads out of its folder"),
    ],
)
def test_what_is_no_model_is_named(hub: HuggingFaceHub, small: SmallHub, files: dict[str, bytes], said: str) -> None:
    small.repositories["models", "owner/tiny-0.5B"] = files
    with pytest.raises(PrerequisiteError, match=said):
        hub.catalogue()


# Datasets


def test_all_splits_are_read_and_no_script(hub: HuggingFaceHub, small: SmallHub) -> None:
    assert hub.rows("owner/pairs", COMMIT) == [ROWS[3], *ROWS[:3]]
    assert not any(path.endswith(".py") for path in small.asked)


def test_parquet_is_read_where_it_is(hub: HuggingFaceHub, small: SmallHub, tmp_path: Path) -> None:
    table = pyarrow.table({name: [row[name] for row in ROWS] for name in ROWS[0]})
    pyarrow.parquet.write_table(table, tmp_path / "made")
    small.repositories["datasets", "owner/pairs"]["data/all.parquet"] = (tmp_path / "made").read_bytes()
    assert hub.rows("owner/pairs", COMMIT) == ROWS


def test_the_first_configuration_of_several_is_read(hub: HuggingFaceHub, small: SmallHub) -> None:
    small.cards["owner/pairs"] = {
        "configs": [
            {"config_name": "tests", "data_files": [{"split": "test", "path": "data/test*"}]},
            {"config_name": "trains", "data_files": "data/train.jsonl"},
        ]
    }
    assert hub.rows("owner/pairs", COMMIT) == ROWS[3:]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pairs.py": b"", "data.zip": b""}, "has no .parquet, .jsonl, .json, .csv file, and no script is ever run"),
        ({"a.jsonl": b'{"a": 1}\n{"a": '}, r"owner/pairs/a.jsonl, line 2: not JSON"),
        ({"a.jsonl": b'{"a": "' + b"x" * (2 << 20) + b'"}'}, r"has 2 MiB of rows, more than 1"),
    ],
)
def test_what_is_no_dataset_is_named(
    hub: HuggingFaceHub, small: SmallHub, files: dict[str, bytes], said: str, tmp_path: Path, endpoint: str
) -> None:
    small.repositories["datasets", "owner/pairs"] = files
    hub = HuggingFaceHub(HubSettings(folder=tmp_path, endpoint=endpoint, dataset_mib=1), tmp_path / "cache")
    with pytest.raises(PrerequisiteError, match=said):
        hub.rows("owner/pairs", COMMIT)


def test_mixes_and_descriptions_of_the_list_are_taken(hub: HuggingFaceHub, small: SmallHub, tmp_path: Path) -> None:
    small.repositories["datasets", "owner/more"] = {"a.jsonl": jsonl(ROWS[:2])}
    more = ENTRY | {"dataset_id": "owner/more", "dataset_type": {"prompt_format": "{system} {prompt}"}}
    mix = {"dataset_id": "both", "kind": "DpoTask", "mix": ["owner/more", "owner/pairs"]}
    relist(tmp_path, datasets=[mix, ENTRY, more])
    both, described, _ = hub.catalogue().datasets
    assert both.rows == 4 and [part.dataset_id for part in both.parts] == ["owner/more", "owner/pairs"]
    assert described.dataset_type is not None and described.dataset_type.prompt_format == "{system} {prompt}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (ENTRY | {"kind": "Poetry"}, "catalogue.json, owner/pairs is no dataset's card: kind"),
        (ENTRY | {"revision": None}, "it needs dataset_id and revision"),
        (ENTRY | {"columns": {}}, "it needs either columns or a mix"),
        (ENTRY | {"dataset_type": {"chat_template": "x"}}, "chat_template: Extra inputs"),
        ({"dataset_id": "m", "kind": "DpoTask", "mix": ["owner/pairs"]}, "a mix is of two or more datasets"),
        ({"dataset_id": "m", "kind": "DpoTask", "mix": ["a", "b"]}, "the hub has no dataset a of DpoTask"),
    ],
)
def test_an_entry_that_is_wrong_is_named(hub: HuggingFaceHub, tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    relist(tmp_path, datasets=[ENTRY, entry])
    with pytest.raises(PrerequisiteError, match=said):
        hub.catalogue()


# The hub itself


@pytest.mark.parametrize(
    ("id_", "revision", "said"),
    [
        ("owner/none", COMMIT, "owner/none at c0.* is not to be had: the hub answers 404; correct its entry"),
        ("owner/pairs", "d1" * 20, "owner/pairs at d1.* is not to be had: the hub answers 404"),
        ("a/b/c", COMMIT, "a/b/c at c0.*correct its entry"),
        ("../pairs", COMMIT, r"\.\./pairs at c0.*correct its entry"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub: HuggingFaceHub, id_: str, revision: str, said: str) -> None:
    with pytest.raises(PrerequisiteError, match=said):
        hub.rows(id_, revision)


def test_a_branch_is_no_revision(hub: HuggingFaceHub, small: SmallHub) -> None:
    small.COMMIT = "main"
    with pytest.raises(IntegrityError, match="name a full commit"):
        hub.rows("owner/pairs", "main")


def test_a_hub_in_trouble_or_away_may_come_back(small: SmallHub, tmp_path: Path) -> None:
    with serving(small.respond) as address:
        small.status = 503
        hub = HuggingFaceHub(HubSettings(folder=tmp_path, endpoint=address), tmp_path / "cache")
        with pytest.raises(UnreachableError, match=r"the hub is in trouble \(503\)"):
            hub.rows("owner/pairs", COMMIT)
    with serving(small.respond) as address:
        hub = HuggingFaceHub(HubSettings(folder=tmp_path, endpoint=address), tmp_path / "cache")
    with pytest.raises(UnreachableError, match="the hub does not answer"):
        hub.rows("owner/pairs", COMMIT)


def test_a_hub_is_asked_by_https_only(tmp_path: Path) -> None:
    hub = HuggingFaceHub(HubSettings(folder=tmp_path, endpoint="http://hub.example"), tmp_path)
    with pytest.raises(PrerequisiteError, match=r"http://hub.example is not encrypted: use https://"):
        hub.rows("owner/pairs", COMMIT)


def test_without_a_list_nothing_can_be_drawn(tmp_path: Path) -> None:
    hub = HuggingFaceHub(HubSettings(folder=tmp_path / "none"), tmp_path)
    with pytest.raises(PrerequisiteError, match=r"there is no .*catalogue.json: write which"):
        hub.catalogue()
    relist(tmp_path, models=[{"model_id": "a/b", "revision": "main"}])
    with pytest.raises(PrerequisiteError, match=r"catalogue.json: models.0.revision: .*; correct it"):
        HuggingFaceHub(HubSettings(folder=tmp_path), tmp_path).catalogue()


def test_the_endpoint_of_the_environment_is_honoured(endpoint: str, tmp_path: Path) -> None:
    """The library reads HF_ENDPOINT when it is imported."""
    program = (
        "import sys; from pathlib import Path; from gateways.settings import HubSettings;"
        "from gateways.hugging_face import HuggingFaceHub as Hub;"
        f"print(len(Hub(HubSettings(), Path(sys.argv[1])).rows('owner/pairs', '{COMMIT}')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_ETAG_TIMEOUT": "60", "HF_HUB_DOWNLOAD_TIMEOUT": "60"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "4"


# Which files hold rows


def test_files_of_one_format_are_chosen() -> None:
    names = ["b.csv", "a/x.jsonl", ".hidden.parquet", "dataset_infos.json", "a/.git/y.parquet"]
    assert data_files(names, []) == ["a/x.jsonl"]
    assert data_files(["d/2.parquet", "d/1.parquet", "a.csv"], []) == ["d/1.parquet", "d/2.parquet"]
    assert data_files(["d/2.parquet", "a.csv"], ["*.csv"]) == ["a.csv"]
    assert data_files(["a.txt"], []) == []


@pytest.mark.parametrize("configs", [None, 7, "x", [], [7], [{}], [{"data_files": 7}], [{"data_files": [{"path": 7}]}]])
def test_declarations_that_say_nothing_are_passed_over(configs: Any) -> None:
    assert declared_patterns(configs) == []


def test_the_default_configuration_goes_first() -> None:
    configs = [{"data_files": "a*"}, {"default": True, "data_files": [{"split": "train", "path": ["./b*", "c"]}]}]
    assert declared_patterns(configs) == ["b*", "c"]
