"""Base models and datasets in a local folder.

    models/<owner>--<name>/       config.json, tokenizer files, *.safetensors
    datasets/<id>.jsonl           one JSON object a line
    datasets/<id>.json            its card: kind and columns; without rows beside it, that of a mix or of an address

A `--` in a file's name stands for the `/` of an id. Revisions, parameters and rows are those of the bytes that lie
there; whoever asks for another revision gets an error, never other bytes.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from hashlib import file_digest
from pathlib import Path
from typing import Any, TypeVar

from core.artifacts import ArtifactKind, Manifest, TreeFile
from core.challenge import Catalogue, DatasetInfo, DatasetType, ModelInfo
from core.errors import IntegrityError, PrerequisiteError
from gateways.cards import DatasetCard, mixed, parse_card
from gateways.model_files import count_parameters, model_files
from gateways.row_files import lines
from gateways.sources import is_address
from gateways.trees import snapshot

Value = TypeVar("Value")
Fingerprint = tuple[tuple[str, int, int], ...]

_ID = re.compile(r"\w(?!.*--)[\w.-]*(/\w[\w.-]*)?", re.ASCII)


class FolderHub:
    """Keeps `core.ports.ModelHub`. Files are read again only when their size or time of change says so."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models = folder / "models"
        self._datasets = folder / "datasets"
        self._described: dict[Path, tuple[Fingerprint, ModelInfo | DatasetInfo]] = {}

    def catalogue(self) -> Catalogue:
        """Raises PrerequisiteError naming the first model or dataset that cannot be used, and why."""
        if not self._folder.is_dir():
            raise PrerequisiteError(f"there is no hub at {self._folder}: make it, or set GOD_HUB__FOLDER")
        models = [self._model(path) for path in self._models.glob("*") if path.is_dir()]
        datasets = [self._dataset(path) for path in self._datasets.glob("*.jsonl")]
        alone = [path for path in self._datasets.glob("*.json") if not path.with_suffix(".jsonl").exists()]
        cards = [(path, *parse_card(str(path), path.read_bytes())) for path in alone]
        datasets += [_at_address(path, card, described) for path, card, described in cards if not card.mix]
        datasets += [
            mixed(str(path), _id_of(path, path.stem), card, described, datasets)
            for path, card, described in cards
            if card.mix
        ]
        return Catalogue(
            models=tuple(sorted(models, key=lambda model: model.model_id)),
            datasets=tuple(sorted(datasets, key=lambda dataset: dataset.dataset_id)),
        )

    def fetch_model(self, model: ModelInfo, into: Path) -> Path:
        """Copy the model's data files to the absent or empty folder `into`, and return it.

        The model's revision is the sha256 that `Artifacts.put_tree` gives to the copy. Raises IntegrityError when the
        hub's files are no longer those of the revision.
        """
        source = self._models / _file_name(model.model_id)
        if not source.is_dir():
            raise PrerequisiteError(f"the model {model.model_id} is not in the hub: put it at {source}")
        for name in model_files(source):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, into / name)
        found = _tree_hash(into)
        if found != model.revision:
            raise IntegrityError(f"{source} is at revision {found}, not {model.revision}: put that one back")
        return into

    def rows(self, dataset_id: str, revision: str) -> list[dict[str, Any]]:
        """Raises IntegrityError for another revision, PrerequisiteError naming the line that is no JSON object."""
        path = self._datasets / f"{_file_name(dataset_id)}.jsonl"
        if not path.is_file():
            raise PrerequisiteError(f"the dataset {dataset_id} is not in the hub: put it at {path}")
        found = _sha256(path)
        if len(revision) < 40 or not found.startswith(revision):
            raise IntegrityError(f"{path} is at revision {found}, not {revision}: put that one back")
        return lines(path, str(path))

    def _model(self, folder: Path) -> ModelInfo:
        files = [folder / name for name in model_files(folder)]
        return self._once(folder, files, lambda: _describe_model(folder), ModelInfo)

    def _dataset(self, path: Path) -> DatasetInfo:
        card = path.with_suffix(".json")
        if not card.is_file():
            raise PrerequisiteError(f"{path} has no card: write its kind and columns to {card}")
        return self._once(path, [path, card], lambda: _describe_dataset(path, card), DatasetInfo)

    def _once(self, path: Path, files: Iterable[Path], describe: Callable[[], Value], kind: type[Value]) -> Value:
        fingerprint = tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
        known = self._described.get(path)
        if known is not None and known[0] == fingerprint and isinstance(known[1], kind):
            return known[1]
        described = describe()
        self._described[path] = (fingerprint, described)  # type: ignore[assignment]
        return described


# Models


def _describe_model(folder: Path) -> ModelInfo:
    count = count_parameters(folder)
    return ModelInfo(model_id=_id_of(folder, folder.name), revision=_tree_hash(folder), parameters=count)


def _tree_hash(folder: Path) -> str:
    files = {name: snapshot(folder / name) for name in model_files(folder)}
    entries = [TreeFile(path=name, sha256=file.sha256, size_bytes=file.size_bytes) for name, file in files.items()]
    return Manifest(files=tuple(entries)).ref(ArtifactKind.MODEL).sha256


# Datasets


def _describe_dataset(path: Path, card_path: Path) -> DatasetInfo:
    card, described = parse_card(str(card_path), card_path.read_bytes())
    found = _sha256(path)
    facts = {"dataset_id": _id_of(path, path.stem), "rows": len(lines(path, str(path)))}
    for name, fact in facts.items():
        if getattr(card, name) not in (None, fact):
            raise PrerequisiteError(f"{card_path} states {name} {getattr(card, name)}, but it is {fact}; correct it")
    if not found.startswith(card.revision or ""):
        raise PrerequisiteError(f"{card_path} states revision {card.revision}, but {path.name} is {found}; correct it")
    if card.mix:
        raise PrerequisiteError(f"{card_path} states a mix, but {path.name} has rows of its own; correct it")
    return DatasetInfo.model_validate(
        {
            **facts,
            "revision": card.revision or found,
            "kind": card.kind,
            "columns": card.columns,
            "dataset_type": described,
            "written_rewards": card.written_rewards,
        }
    )


def _at_address(path: Path, card: DatasetCard, described: DatasetType | None) -> DatasetInfo:
    """Of a card without rows beside it."""
    if not is_address(card.dataset_id or "") or card.revision is None or card.rows is None:
        raise PrerequisiteError(
            f"{path} has no {path.stem}.jsonl beside it: put it there; or state a mix; or, for a dataset elsewhere, "
            "dataset_id (its address), revision and rows"
        )
    return DatasetInfo.model_validate(card.model_dump(exclude={"mix"}) | {"dataset_type": described})


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


# Names


def _file_name(id_: str) -> str:
    if not _ID.fullmatch(id_):
        raise ValueError(f"{id_!r} is not an id of the hub: <name> or <owner>/<name>, without '--'")
    return id_.replace("/", "--")


def _id_of(path: Path, name: str) -> str:
    id_ = name.replace("--", "/")
    if not _ID.fullmatch(id_):
        raise PrerequisiteError(f"{path} is not named <name> or <owner>--<name>; rename it")
    return id_
