"""The run's log: a file that is appended to and never grows beyond its bound."""

import os
from pathlib import Path

DROPPED = b"[older output was dropped here]\n"


class RollingLog:
    """Appends to `path`. At the bound the newest half is kept under a line that says so.

    The file is replaced then: a reader by path sees it shrink and starts anew.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > self._limit:
            self._drop_older()
        self._file.write(data[-(self._limit // 2) :])

    def notice(self, text: str) -> None:
        self.write(f"[{text}]\n".encode())

    def last_line(self) -> str:
        lines = self._tail(4096).decode(errors="replace").splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        self._file.close()

    def _drop_older(self) -> None:
        kept = self._tail(self._limit // 2 - len(DROPPED))
        draft = self._path.with_name(f".{self._path.name}")
        draft.write_bytes(DROPPED + kept)
        draft.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)

    def _tail(self, size: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - max(size, 0)))
            return file.read()
