"""Which files of a hub's repository are used, and whether they are what its listing says. Listings are not trusted."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from core.errors import PrerequisiteError
from gateways.model_files import INDEX

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

FORMATS = (".parquet", ".jsonl", ".json", ".csv")
"""Of rows, the best first."""
DESCRIPTIONS = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
"""JSON that stands beside rows and holds none."""


def data_files(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The files that hold rows, all of one format, sorted."""
    visible = [name for name in names if not any(part.startswith(".") for part in name.split("/"))]
    declared = [name for name in visible if any(fnmatchcase(name, pattern) for pattern in patterns)]
    rows = [name for name in declared or visible if PurePosixPath(name).name not in DESCRIPTIONS]
    suffix = next((suffix for suffix in FORMATS if any(name.lower().endswith(suffix) for name in rows)), None)
    return sorted(name for name in rows if suffix and name.lower().endswith(suffix))


def declared_patterns(configs: Any) -> list[str]:
    """Patterns of the default configuration, else of the first, as a dataset's card has them (hostile)."""
    entries = [entry for entry in configs if isinstance(entry, dict)] if isinstance(configs, list) else []
    first = next((entry for entry in entries if entry.get("default") is True), entries[0] if entries else {})
    return [pattern.removeprefix("./") for pattern in _strings(first.get("data_files"))]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item.get("path") if isinstance(item, dict) else item if isinstance(item, str) else None)


def shards(index: Path, model_id: str) -> list[str]:
    try:
        found = list(json.loads(index.read_bytes())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise PrerequisiteError(f"{INDEX} of {model_id} names no shards ({e}): take another revision") from e
    if not all(isinstance(shard, str) for shard in found):
        raise PrerequisiteError(f"{INDEX} of {model_id} names shards that are no file names: take another revision")
    return found


def check_path(id_: str, path: str) -> None:
    if path.startswith("/") or "\\" in path or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise PrerequisiteError(
            f"{id_} lists a file {path!r} that leads out of its folder: take it out of the catalogue"
        )


def is_as_listed(path: Path, file: "RepoSibling") -> bool:
    """By SHA-256 where it is a large file, else by git's hash of it."""
    size = path.stat().st_size
    if file.size is not None and file.size != size:
        return False
    with path.open("rb") as stream:
        if file.lfs is not None:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.lfs.sha256
        blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while chunk := stream.read(1 << 20):
            blob.update(chunk)
        return file.blob_id in (None, blob.hexdigest())
