"""The system's git on a bare repository of our own, under limits; what it reads comes from a stranger.

Covered: configuration, hooks, credentials and helpers of this machine and of the stranger are not used; one protocol;
no redirects, submodules, lazy fetches or replaced objects; every object is checked; time, memory and the size of what
is received are bounded by the kernel. Not covered: flaws of git's own parsers; keep git up to date.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import IO, Literal, NoReturn

MEMORY_BYTES = 2 << 30
_FROM_OUTSIDE = ("PATH", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "GIT_SSL_CAINFO")
_CONFIG = """\
[core]
    hooksPath = /dev/null
    # Larger blobs are streamed, not held in memory.
    bigFileThreshold = 8m
[protocol]
    version = 2
[transfer]
    # One pack, so that the limit of a file's size is the limit of what is received.
    unpackLimit = 1
    fsckObjects = true
    credentialsInUrl = die
[fetch "fsck"]
    # Harmless traces of old tools.
    zeroPaddedFilemode = ignore
    badTimezone = ignore
    missingSpaceBeforeDate = ignore
[credential]
    helper =
[http]
    followRedirects = false
    lowSpeedLimit = 1000
    lowSpeedTime = 20
[pack]
    threads = 1
[gc]
    auto = 0
[maintenance]
    auto = false
[safe]
    directory = *
"""


class OutOfTimeError(Exception):
    """The deadline came before git was done."""


class GitError(Exception):
    """git ended badly; the message is what it said, in its own English."""


class TooLargeError(Exception):
    """git was stopped because a file that it wrote came to the limit."""


class BareRepository:
    """An empty bare repository in `folder`, and git commands on it.

    Args:
        folder: an empty folder of our own; also git's home.
        protocol: the only one that git may speak.
        max_bytes: of any one file that git writes.
        seconds: of any one command.
    """

    def __init__(self, folder: Path, protocol: Literal["https", "file"], max_bytes: int, seconds: float) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._limits = ("prlimit", f"--fsize={max_bytes}", f"--as={MEMORY_BYTES}", f"--cpu={int(seconds) + 1}", "--")
        self._environment = _environment(folder, protocol)
        (folder / "gitconfig").write_text(_CONFIG)
        self.run("init", "--quiet", "--bare", "--template=", "--object-format=sha1", ".")

    def run(self, *arguments: str) -> None:
        """Raises GitError, OutOfTimeError or TooLargeError."""
        with self.talk(*arguments):
            pass

    @contextmanager
    def talk(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A git command with pipes. Killed at the deadline, and when the block is left by an error.

        Raises GitError, OutOfTimeError or TooLargeError for a command that ended badly; the block may raise EOFError
        to say that it did so too early.
        """
        deadline = time.monotonic() + self._seconds
        with (self._folder / "stderr").open("w+b") as stderr:
            process = self._start(arguments, stderr)
            timer = Timer(self._seconds, _kill, [process])
            timer.start()
            try:
                with suppress(EOFError, BrokenPipeError):
                    yield process
                process.communicate()
            finally:
                timer.cancel()
                _kill(process)
                process.communicate()
            if process.returncode != 0:
                self._blame(arguments[0], process.returncode, stderr, is_late=time.monotonic() >= deadline)

    def _start(self, arguments: tuple[str, ...], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (*self._limits, "git", "--no-replace-objects", *arguments),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

    def _blame(self, command: str, returncode: int, stderr: IO[bytes], is_late: bool) -> NoReturn:
        if is_late:
            raise OutOfTimeError(f"git {command} was not done in time")
        # The kernel stops the writer without a word, in whatever helper of git it was.
        if any(path.lstat().st_size >= self._max_bytes for path in self._folder.rglob("*") if path.is_file()):
            raise TooLargeError(f"git {command} wrote {self._max_bytes} bytes and more")
        stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 8192))
        raise GitError(f"{stderr.read().decode(errors='replace')}\ngit {command} ended with {returncode}")


def _environment(home: Path, protocol: str) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _FROM_OUTSIDE if name in os.environ}
    return passed | {
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_DIR": ".",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git with every helper that it started. Ended ones are not an error."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
