"""The run's output folder, which hostile code writes: measured while it does, made readable when it is done."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

MAX_ENTRIES = 20_000
MAX_DEPTH = 24
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ExcessError(Exception):
    """The output is beyond a bound; the message says which."""


def check_output(folder: Path, limit: int) -> None:
    """Raises ExcessError at `limit` bytes, too many entries, too deep folders, or folders closed to us.

    A file counts by its length or its blocks, whichever is more: neither holes nor preallocation go unseen.
    """
    size = 0
    for count, entry in enumerate(_walk(None, str(folder), 0), start=1):
        size += max(entry.st_size, entry.st_blocks * 512) if stat.S_ISREG(entry.st_mode) else 0
        if size >= limit:
            raise ExcessError(f"output reached its limit of {limit} bytes")
        if count > MAX_ENTRIES:
            raise ExcessError(f"output has more than {MAX_ENTRIES} files and folders")


def _walk(parent: int | None, name: str, depth: int) -> Iterator[os.stat_result]:
    """Facts of all that is in a folder, and below. By descriptors, so that no link can slip in on the way."""
    if depth > MAX_DEPTH:
        raise ExcessError(f"output folders are nested deeper than {MAX_DEPTH}")
    try:
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as e:
        raise ExcessError(f"output folder {name[-80:]!r} cannot be measured: {e.strerror}") from None
    try:
        yield from _walk_open(descriptor, depth)
    finally:
        os.close(descriptor)


def _walk_open(descriptor: int, depth: int) -> Iterator[os.stat_result]:
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield facts
            if stat.S_ISDIR(facts.st_mode):
                yield from _walk(descriptor, entry.name, depth + 1)


def make_readable(folder: Path) -> None:
    """Give the owner all rights on files and folders, once nobody writes any more; `chmod -R` follows no link."""
    subprocess.run(["chmod", "-R", "u+rwX", "--", folder], stderr=subprocess.DEVNULL, check=False)
