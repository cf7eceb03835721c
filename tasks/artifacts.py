"""Artifacts: bring them to this machine, put them into the store."""

import os
import re
import stat
import tempfile
from pathlib import Path

from prefect import task

from core.artifacts import ArtifactKind, ArtifactRef
from core.errors import PrerequisiteError
from core.value import sha256_hex
from gateways.wiring import ports, settings
from tasks.retrying import EFFECT

CHECKPOINT_FILES = (".safetensors", ".safetensors.index.json", "adapter_config.json")
"""What crosses from a miner: tensors, and the few numbers that say how an adapter is merged."""
CHECKPOINT_MOST_FILES = 1000
CHECKPOINT_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


def cache_folder() -> Path:
    """Content-addressed copies of artifacts on this machine; mounted read-only into containers."""
    return settings().state / "cache"


@task(task_run_name="fetch-{ref.key}", **EFFECT)
def fetch(ref: ArtifactRef) -> Path:
    return ports().artifacts.fetch(ref, cache_folder())


def keep(data: bytes) -> Path:
    """The file of these bytes on this machine, to be mounted into containers."""
    folder = settings().state / "specs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256_hex(data)}.json"
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(data)
    new.replace(path)
    return path


@task(task_run_name="put-log", **EFFECT)
def put_log(path: Path) -> ArtifactRef | None:
    """Store a finished run's log; None when it wrote none."""
    return ports().artifacts.put_file(ArtifactKind.LOG, path) if path.is_file() else None


class NothingToCollect(Exception):
    """The output holds no checkpoint; the message is the reason the miner reads."""


@task(task_run_name="collect-checkpoint", **EFFECT)
def collect_checkpoint(output: Path, *parts: str) -> ArtifactRef | str:
    """Store the tensors below `output/<parts>`: regular files by name, never through a link.

    Returns the artifact, or why there is none.
    """
    try:
        with tempfile.TemporaryDirectory(dir=staging()) as folder:
            copy_tensors(output, parts, Path(folder))
            return ports().artifacts.put_tree(ArtifactKind.CHECKPOINT, Path(folder))
    except NothingToCollect as nothing:
        return str(nothing)


@task(task_run_name="store-{model}", **EFFECT)
def store_checkpoint(model: Path) -> ArtifactRef:
    """Store a local folder's tensors as a checkpoint. Raises PrerequisiteError when it has none."""
    stored = collect_checkpoint.fn(model.expanduser().resolve())
    if isinstance(stored, str):
        raise PrerequisiteError(f"model folder {model}: {stored}; save it with safe_serialization=True")
    return stored


def staging() -> Path:
    """Where trees are put together before they are stored."""
    folder = settings().state / "staging"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def copy_tensors(output: Path, parts: tuple[str, ...], into: Path) -> None:
    """Copy the files of a checkpoint out of a hostile folder. Raises NothingToCollect."""
    descriptor = _open_folder(output, parts)
    try:
        with os.scandir(descriptor) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(CHECKPOINT_FILES))
        if odd := next((name for name in names if not CHECKPOINT_NAME.fullmatch(name)), None):
            raise NothingToCollect(f"the file name {odd!r} has other characters than letters, digits, '.', '_' and '-'")
        if not any(name.endswith(".safetensors") for name in names):
            raise NothingToCollect(f"there is no .safetensors file in {'/'.join(parts)}")
        if len(names) > CHECKPOINT_MOST_FILES:
            raise NothingToCollect(f"{len(names)} files; a checkpoint has at most {CHECKPOINT_MOST_FILES}")
        for name in names:
            _copy(descriptor, name, into / name)
    finally:
        os.close(descriptor)


def _open_folder(output: Path, parts: tuple[str, ...]) -> int:
    """Walk down one real folder at a time."""
    descriptor = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        try:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
        except OSError as error:
            raise NothingToCollect(f"there is no folder {'/'.join(parts)} in the output") from error
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _copy(folder: int, name: str, target: Path) -> None:
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise NothingToCollect(f"{name} is not a regular file") from error
    with os.fdopen(source, "rb") as stream:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise NothingToCollect(f"{name} is not a regular file")
        with target.open("wb") as copy:
            while chunk := stream.read(1 << 22):
                copy.write(chunk)
