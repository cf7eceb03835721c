"""A commit's tree, listed and judged before a byte of it is written, then written without a checkout."""

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import SubmissionError
from gateways.git_bare import BareRepository

MAX_PATH_BYTES = 1000
MAX_NAME_BYTES = 255
CHUNK_BYTES = 1 << 20
MTIME = 315_532_800
"""1980-01-01, the earliest that every archive format can say: times are no part of a commit's tree."""
_LFS = b"version https://git-lfs"
_SMALL = 1024
_DOT_GIT = {".git", "git~1"}
_REFUSED = {
    "120000": "is a symbolic link; put the file itself there",
    "160000": "is a submodule; put its files into the repository",
}


@dataclass(frozen=True)
class Blob:
    """A regular file of a commit."""

    path: str
    oid: str
    size_bytes: int
    executable: bool


def list_blobs(repository: BareRepository, commit: str, max_files: int, max_bytes: int) -> list[Blob]:
    """Every file of the commit. Raises SubmissionError naming the first path that we do not take."""
    blobs: list[Blob] = []
    folders = total = 0
    seen: dict[str, str] = {}
    with repository.talk("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit) as git:
        assert git.stdout is not None
        for record in _records(git.stdout):
            mode, kind, oid, size, path = _fields(record)
            check_path(path)
            check_twins(path, seen)
            if mode in _REFUSED:
                raise SubmissionError(f"{path!r} {_REFUSED[mode]}")
            if kind == "tree":
                folders += 1
            else:
                blobs.append(Blob(path, oid, int(size), executable=mode == "100755"))
                total += int(size)
            if max(len(blobs), folders) > max_files:
                raise SubmissionError(f"it has more than {max_files} files or folders; {path!r} is one too many")
            if total > max_bytes:
                raise SubmissionError(f"its files take more than {max_bytes >> 20} MiB together; {path!r} is too much")
    return blobs


def write_blobs(repository: BareRepository, blobs: list[Blob], into: Path) -> None:
    """Write them below the empty folder `into`. Raises SubmissionError for a Git LFS pointer."""
    with repository.talk("cat-file", "--batch") as git:
        assert git.stdin is not None and git.stdout is not None
        for blob in blobs:
            git.stdin.write(f"{blob.oid}\n".encode())
            git.stdin.flush()
            expected = f"{blob.oid} blob {blob.size_bytes}\n".encode()
            answer = git.stdout.readline(len(expected))
            if not answer:
                raise EOFError
            if answer != expected:
                raise SubmissionError(f"{blob.path!r} is missing or damaged in the repository")
            target = into / blob.path
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(git.stdout, blob, target)
    _settle_times(into)


def check_path(path: str) -> None:
    """Raises SubmissionError for a path that is unsafe, unreadable or does not exist everywhere."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path:
        raise SubmissionError(f"the path {path!r} has a character that does not print, or a backslash; rename it")
    if {"", ".", ".."} & set(parts):
        raise SubmissionError(f"the path {path!r} leads out of the repository")
    if any(part.casefold().rstrip(" .") in _DOT_GIT for part in parts):
        raise SubmissionError(f"the path {path!r} has a part named .git; remove it")
    if len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        limits = f"{MAX_PATH_BYTES} bytes, or a part of it longer than {MAX_NAME_BYTES}"
        raise SubmissionError(f"the path {path[:300]!r}… is longer than {limits}; shorten it")


def check_twins(path: str, seen: dict[str, str]) -> None:
    """Raises SubmissionError when a path differs from an earlier one in letter case or Unicode form only."""
    plain = unicodedata.normalize("NFKC", path).casefold()
    if plain in seen:
        raise SubmissionError(f"the paths {seen[plain]!r} and {path!r} are the same but for letter case; rename one")
    seen[plain] = path


def _records(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
        *records, rest = (rest + chunk).split(b"\0")
        yield from records
        if len(rest) > 1 << 16:
            raise SubmissionError(f"a path that starts with {rest[:300]!r} is far too long; shorten it")


def _fields(record: bytes) -> tuple[str, str, str, str, str]:
    facts, _, name = record.partition(b"\t")
    try:
        path = name.decode()
    except UnicodeDecodeError:
        raise SubmissionError(f"the path {name[:300]!r} is not UTF-8; rename it") from None
    mode, kind, oid, size = facts.decode().split()
    return mode, kind, oid, size, path


def _write(source: IO[bytes], blob: Blob, target: Path) -> None:
    left = blob.size_bytes
    with target.open("xb") as out:
        while chunk := source.read(min(left, CHUNK_BYTES)):
            if left == blob.size_bytes <= _SMALL and chunk.startswith(_LFS):
                raise SubmissionError(f"{blob.path!r} is a Git LFS pointer; commit the file itself, without LFS")
            left -= out.write(chunk)
    if left or source.read(1) != b"\n":
        raise EOFError
    target.chmod(0o755 if blob.executable else 0o644)


def _settle_times(root: Path) -> None:
    for folder, _, files in os.walk(root, topdown=False):
        for name in [*files, "."]:
            os.utime(Path(folder, name), (MTIME, MTIME))
