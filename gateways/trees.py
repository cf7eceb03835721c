"""Files and folders of this machine, as artifacts are made of them and brought back to them."""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Snapshot:
    """A regular file as it was when it was hashed."""

    path: Path
    sha256: str
    size_bytes: int
    executable: bool
    changed_ns: int
    inode: int

    def has_changed(self) -> bool:
        now = self.path.lstat()
        return (now.st_size, now.st_ctime_ns, now.st_ino) != (self.size_bytes, self.changed_ns, self.inode)


def snapshot(path: Path) -> Snapshot:
    """Hash a regular file. Raises ValueError for a link or special file; never follows or waits on one."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path} is a link or special file; only regular files are stored")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    executable = bool(facts.st_mode & stat.S_IXUSR)
    return Snapshot(path, digest, facts.st_size, executable, facts.st_ctime_ns, facts.st_ino)


def regular_files(root: Path) -> Iterator[str]:
    """Paths below `root`, with `/` between the parts. Raises ValueError for a link or special file anywhere."""
    if not stat.S_ISDIR(root.lstat().st_mode):
        raise ValueError(f"{root} is no folder (a link to one is not followed)")
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    raise ValueError(f"{path} in {root} is a link or special file; only regular files are stored")


def publish(into: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make `into/name` by `fill`, whole or not at all, once, whoever else tries; its folders become read-only.

    `fill` is called with a path beside it that is not there yet, and makes a file or folder of it.
    """
    target, unfinished = into / name, into / f".{name}.unfinished"
    if target.exists():
        return target
    into.mkdir(parents=True, exist_ok=True)
    with _only_one(into / f".{name}.lock"):
        if not target.exists():
            discard(unfinished)
            try:
                fill(unfinished)
                _close_folders(unfinished)
                unfinished.rename(target)
            finally:
                discard(unfinished)
    return target


def discard(path: Path) -> None:
    """Delete a file or folder, read-only ones too. An absent one is not an error."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o700)
        shutil.rmtree(path)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait for our turn among threads and processes; the kernel ends the turn of one that dies."""
    with lock.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _close_folders(path: Path) -> None:
    if path.is_dir():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o555)
