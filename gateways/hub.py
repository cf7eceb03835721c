"""Base models and datasets in a local folder.

    models/<owner>--<name>/       config.json, tokenizer files, *.safetensors
    datasets/<id>.jsonl           one JSON object a line
    datasets/<id>.json            its card: kind and columns

A `--` in a file's name stands for the `/` of an id. Revisions, parameters and rows are those of the bytes that lie
there; whoever asks for another revision gets an error, never other bytes.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from core.artifacts import ArtifactKind, Manifest, TreeFile
from core.challenge import Catalogue, ChallengeKind, DatasetInfo, ModelInfo
from core.errors import IntegrityError, PrerequisiteError
from core.safetensors import TensorInfo, parameters, read_header
from core.value import Frozen
from gateways.trees import regular_files, snapshot

Value = TypeVar("Value")
Fingerprint = tuple[tuple[str, int, int], ...]

MODEL_FILES = {".json", ".txt", ".model", ".safetensors", ".jinja"}
"""What of a model is used: data only, nothing that runs or unpickles."""
_ID = re.compile(r"\w(?!.*--)[\w.-]*(/\w[\w.-]*)?", re.ASCII)


class DatasetCard(Frozen):
    """`<id>.json`. What the rows themselves tell may be stated as well; then it must be true."""

    kind: ChallengeKind
    columns: dict[str, str]
    """Our column name → theirs."""
    dataset_id: str | None = None
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    """SHA-256 of `<id>.jsonl`, or its first digits, 40 at least."""
    rows: Annotated[int, Field(gt=0)] | None = None


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
        for name in _model_files(source):
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
        data = path.read_bytes()
        found = sha256(data).hexdigest()
        if len(revision) < 40 or not found.startswith(revision):
            raise IntegrityError(f"{path} is at revision {found}, not {revision}: put that one back")
        return _parse_rows(path, data)

    def _model(self, folder: Path) -> ModelInfo:
        files = [folder / name for name in _model_files(folder)]
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


def _model_files(folder: Path) -> list[str]:
    """Paths of the files that are used, sorted; hidden ones are not."""
    try:
        paths = sorted(path for path in regular_files(folder) if not path.startswith(".") and "/." not in path)
    except ValueError as e:
        raise PrerequisiteError(f"the model in {folder} cannot be used: {e}; copy the files themselves there") from e
    return [path for path in paths if Path(path).suffix in MODEL_FILES]


def _describe_model(folder: Path) -> ModelInfo:
    count = _count_parameters(folder)
    return ModelInfo(model_id=_id_of(folder, folder.name), revision=_tree_hash(folder), parameters=count)


def _count_parameters(folder: Path) -> int:
    """By the files' headers; a tensor that two files of one folder hold counts once."""
    tensors: dict[tuple[Path, str], TensorInfo] = {}
    weights = [folder / name for name in _model_files(folder) if name.endswith(".safetensors")]
    try:
        for path in weights:
            with path.open("rb") as stream:
                header = read_header(stream, path.stat().st_size)
            tensors |= {(path.parent, name): tensor for name, tensor in header.items()}
    except ValueError as e:
        raise PrerequisiteError(f"{path} is not a sound safetensors file: {e}; copy it again") from e
    if not tensors or not (folder / "config.json").is_file():
        raise PrerequisiteError(f"{folder} is no model: it needs config.json and *.safetensors; complete or remove it")
    return parameters(tensors.values())


def _tree_hash(folder: Path) -> str:
    files = {name: snapshot(folder / name) for name in _model_files(folder)}
    entries = [TreeFile(path=name, sha256=file.sha256, size_bytes=file.size_bytes) for name, file in files.items()]
    return Manifest(files=tuple(entries)).ref(ArtifactKind.MODEL).sha256


# Datasets


def _describe_dataset(path: Path, card_path: Path) -> DatasetInfo:
    try:
        card = DatasetCard.model_validate_json(card_path.read_bytes())
    except ValidationError as e:
        what = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in e.errors())
        raise PrerequisiteError(f"{card_path} is no dataset's card: {what}; correct it") from e
    data = path.read_bytes()
    found = sha256(data).hexdigest()
    facts = {"dataset_id": _id_of(path, path.stem), "rows": len(_parse_rows(path, data))}
    for name, fact in facts.items():
        if getattr(card, name) not in (None, fact):
            raise PrerequisiteError(f"{card_path} states {name} {getattr(card, name)}, but it is {fact}; correct it")
    if not found.startswith(card.revision or ""):
        raise PrerequisiteError(f"{card_path} states revision {card.revision}, but {path.name} is {found}; correct it")
    return DatasetInfo.model_validate(
        {**facts, "revision": card.revision or found, "kind": card.kind, "columns": card.columns}
    )


def _parse_rows(path: Path, data: bytes) -> list[dict[str, Any]]:
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    if not lines:
        raise PrerequisiteError(f"{path} is empty: write one JSON object a line, or remove it")
    return [_parse_row(path, number, line) for number, line in enumerate(lines, start=1)]


def _parse_row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as e:
        raise PrerequisiteError(f"{path}, line {number}: not UTF-8 at its byte {e.start + 1}; convert the file") from e
    except (ValueError, RecursionError) as e:
        raise PrerequisiteError(f"{path}, line {number}: not JSON ({e}); correct or remove the line") from e
    if not isinstance(row, dict):
        raise PrerequisiteError(f"{path}, line {number}: not a JSON object; correct or remove the line")
    return row


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


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
