"""Entries: bring each repository's tree at its commit into the store, once, and say what is in it."""

import tempfile
from pathlib import Path

from prefect import task

from core.artifacts import ArtifactKind, ArtifactRef
from core.errors import SubmissionError
from core.tournament import EntryClaim
from core.value import Frozen, Sha256, sha256_hex
from gateways.wiring import ports
from tasks.artifacts import staging
from tasks.retrying import EFFECT

LICENCE_MOST_BYTES = 1 << 20


class FetchedEntry(Frozen):
    """A repository at its commit, or why it could not be had (the miner's fault)."""

    tree: ArtifactRef | None = None
    files: tuple[str, ...] = ()
    licence_sha256: Sha256 | None = None
    notice_sha256: Sha256 | None = None
    refusal: str | None = None


@task(task_run_name="fetch-entry-{claim.commit}", **EFFECT)
def fetch_entry(claim: EntryClaim) -> FetchedEntry:
    """Host out of reach: transient, tried again."""
    try:
        return _stored(claim)
    except SubmissionError as error:
        return FetchedEntry(refusal=error.reason)


def _stored(claim: EntryClaim) -> FetchedEntry:
    with tempfile.TemporaryDirectory(dir=staging()) as folder:
        root = Path(folder)
        ports().repositories.fetch(claim.repository, claim.commit, root)
        files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        return FetchedEntry(
            tree=ports().artifacts.put_tree(ArtifactKind.SOURCE, root),
            files=tuple(files),
            licence_sha256=text_sha256(root / "LICENSE"),
            notice_sha256=text_sha256(root / "NOTICE"),
        )


def text_sha256(path: Path) -> Sha256 | None:
    """Hash of a text with its lines right-stripped; None when there is no such file, or one too large for a licence."""
    if not path.is_file() or path.stat().st_size > LICENCE_MOST_BYTES:
        return None
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    return sha256_hex("\n".join(line.rstrip() for line in lines).encode())
