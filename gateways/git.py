"""Miners' repositories, one commit at a time, through the system's git. Links, commits and contents are hostile."""

import re
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn
from urllib.parse import urlsplit

from core.errors import HostUnreachableError, PrerequisiteError, SubmissionError
from gateways.git_bare import BareRepository, GitError, OutOfTimeError, TooLargeError
from gateways.git_tree import list_blobs, write_blobs
from gateways.settings import RepositorySettings

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HTTPS_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~+-]+){2,8}/?")
_FETCH = (
    "fetch",
    "--quiet",
    "--depth=1",
    "--no-tags",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--",
)
_VERDICTS: tuple[tuple[str, str | None], ...] = (
    (r"No space left on device", None),
    (r"fsck error|died of signal|Out of memory|mismatched algorithms", "holds objects that git refuses"),
    (r"not our ref|couldn't find remote ref|unadvertised object|not a valid object|bad object", "has no such commit"),
    (r"error: 30\d", "is answered with a redirect; enter the link that it leads to (on gitlab.com it ends with .git)"),
    (r"error: (401|403|404|410|451)|could not read Username|repository .*not found", "is not there, or not public"),
    (r"does not appear to be a git repository", "is not a git repository"),
    (r"possible repository corruption", "holds damaged objects"),
    (r"early EOF|unexpected disconnect|RPC failed|hung up|Connection reset", None),
    (r"did not send all necessary objects|index-pack failed", "holds damaged objects, or not all of them"),
)
"""What git says → what the miner hears. None, and whatever is not here: not the miner's fault. The first one wins."""


class Remote(NamedTuple):
    """A repository's address that is safe to hand to git."""

    url: str
    protocol: Literal["https", "file"]


class GitRepositories:
    """Keeps `core.ports.Repositories`."""

    def __init__(self, settings: RepositorySettings) -> None:
        self._settings = settings

    def fetch(self, repository: str, commit: str, into: Path) -> None:
        """Write the commit's files below the empty folder `into`, with the times of no day; nothing is checked out.

        Raises SubmissionError with the reason, HostUnreachableError when the host does not answer, and ValueError
        when `into` is not empty. After an error `into` may hold a part of the files.
        """
        if not _COMMIT.fullmatch(commit):
            raise SubmissionError(f"{commit[:80]!r} is not a full commit: give its 40 hexadecimal digits in lower case")
        remote = remote_of(repository, self._settings)
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise ValueError(f"{into} is not empty")
        with tempfile.TemporaryDirectory(prefix="god-git-") as folder:
            bare = self._prepare(Path(folder), remote)
            self._receive(bare, remote, commit)
            self._extract(bare, repository, commit, into)

    def _prepare(self, folder: Path, remote: Remote) -> BareRepository:
        try:
            return BareRepository(folder, remote.protocol, self._settings.max_mib << 20, self._settings.seconds)
        except (OSError, GitError) as e:
            raise PrerequisiteError(f"git cannot work here ({e}): install git and util-linux, and free the disk") from e

    def _receive(self, bare: BareRepository, remote: Remote, commit: str) -> None:
        try:
            bare.run(*_FETCH, remote.url, commit)
        except OutOfTimeError as e:
            raise HostUnreachableError(
                f"{remote.url} at {commit} did not arrive within {self._settings.seconds:g} s; try again later, or "
                "raise GOD_REPOSITORIES__SECONDS"
            ) from e
        except TooLargeError as e:
            raise SubmissionError(f"{remote.url} at {commit} is larger than {self._settings.max_mib} MiB") from e
        except GitError as e:
            _blame(remote, commit, e)

    def _extract(self, bare: BareRepository, repository: str, commit: str, into: Path) -> None:
        try:
            self._require_commit(bare, commit)
            write_blobs(bare, list_blobs(bare, commit, self._settings.max_files, self._settings.max_mib << 20), into)
        except OutOfTimeError as e:
            raise SubmissionError(f"{repository} at {commit} takes too long to unpack: too many folders") from e
        except GitError as e:
            raise SubmissionError(f"{repository} at {commit} cannot be unpacked: {_said(e)}") from e

    @staticmethod
    def _require_commit(bare: BareRepository, commit: str) -> None:
        with bare.talk("cat-file", "-t", commit) as git:
            kind = git.stdout.read().decode().strip() if git.stdout else ""
        if kind != "commit":
            raise SubmissionError(f"{commit} is a {kind}, not a commit")


def remote_of(repository: str, settings: RepositorySettings) -> Remote:
    """The address behind a miner's link. Raises SubmissionError saying what a link must be."""
    if not (repository.isascii() and repository.isprintable()) or " " in repository or len(repository) > 500:
        raise SubmissionError("the repository's link is longer than 500 characters, or has some that no link has")
    if settings.allow_local and repository.startswith(("/", "file:///")):
        return _local(repository)
    if not repository.startswith("https://"):
        raise SubmissionError(f"{repository!r} is not a link that starts with https://")
    try:
        parts = urlsplit(repository)
    except ValueError:
        raise SubmissionError(f"{repository!r} is not a link") from None
    if parts.netloc.lower() not in settings.hosts:
        raise SubmissionError(
            f"{parts.netloc!r} is not one of the hosts that we fetch from: {', '.join(settings.hosts)}"
        )
    if parts.query or parts.fragment or not _HTTPS_PATH.fullmatch(parts.path):
        raise SubmissionError(f"{repository!r} is not of the form https://<host>/<owner>/<repository>")
    return Remote(f"https://{parts.netloc.lower()}{parts.path}", "https")


def _local(repository: str) -> Remote:
    path = Path(repository.removeprefix("file://"))
    if not path.is_dir():
        raise SubmissionError(f"{repository!r} is not a folder of this machine")
    return Remote(f"file://{path.resolve()}", "file")


def _blame(remote: Remote, commit: str, error: GitError) -> NoReturn:
    verdict = next((said for pattern, said in _VERDICTS if re.search(pattern, str(error), re.IGNORECASE)), None)
    if verdict is None:
        raise HostUnreachableError(f"{remote.url} at {commit} could not be fetched: {_said(error)}") from error
    raise SubmissionError(f"{remote.url} at {commit} {verdict} ({_said(error)})") from error


def _said(error: GitError) -> str:
    """git's own words, which may be the stranger's: the telling line, printable and short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return "".join(letter for letter in telling[0] if letter.isprintable())[:300]
