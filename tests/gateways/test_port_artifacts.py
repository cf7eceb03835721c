"""The promises of `core.ports.Artifacts`, kept by an S3 server and in memory alike; `test_s3.py` goes further."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from core.artifacts import ArtifactKind, ArtifactRef
from core.errors import IntegrityError
from core.ports import Artifacts
from core.value import sha256_hex
from gateways.memory import MemoryArtifacts
from gateways.s3 import S3Artifacts
from tests.conftest import ACCESS_KEY, SECRET_KEY, RcloneServer, artifact_settings

KIND = ArtifactKind.CHECKPOINT


@dataclass(frozen=True)
class Store:
    port: Artifacts
    spoil: Callable[[str, bytes], object]
    """Put other bytes under a key, as a broken or hostile store would."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RcloneServer(tmp_path_factory.mktemp("rclone"))
    server.start()
    yield server.settings.endpoint
    server.kill()


def memory_store() -> Store:
    artifacts = MemoryArtifacts()
    return Store(artifacts, artifacts.objects.__setitem__)


def s3_store(endpoint: str) -> Store:
    settings = artifact_settings(endpoint)
    artifacts = S3Artifacts(settings)
    artifacts.ensure_bucket()
    client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
    return Store(artifacts, lambda key, data: client.put_object(Bucket=settings.bucket, Key=key, Body=data))


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    return memory_store() if request.param == "memory" else s3_store(request.getfixturevalue("endpoint"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a deep file, an empty one, two alike and one that can be run."""
    root = tmp_path / "tree"
    files = {"config.json": b"{}", "deep/down/weights": b"w" * 5000, "empty": b"", "same-a": b"same", "same-b": b"same"}
    for path, data in (files | {"run.sh": b"#!/bin/sh\n"}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "run.sh").chmod(0o755)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_bytes_come_back_under_their_hash(store: Store) -> None:
    ref = store.port.put_bytes(ArtifactKind.REPORT, b"report")
    assert ref == ArtifactRef(kind=ArtifactKind.REPORT, sha256=sha256_hex(b"report"), size_bytes=6)
    assert store.port.put_bytes(ArtifactKind.REPORT, b"report") == ref
    assert store.port.get_bytes(ref) == b"report"


def test_a_file_is_its_bytes(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"line\n" * 1000)
    ref = store.port.put_file(ArtifactKind.LOG, path)
    assert ref == store.port.put_bytes(ArtifactKind.LOG, path.read_bytes())
    fetched = store.port.fetch(ref, tmp_path / "cache")
    assert fetched == tmp_path / "cache" / ref.sha256
    assert fetched.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(fetched.stat().st_mode) == 0o444


def test_a_tree_comes_back_whole_and_read_only(store: Store, tree: Path, tmp_path: Path) -> None:
    ref = store.port.put_tree(KIND, tree)
    assert ref.is_tree and ref.size_bytes == sum(len(data) for data in contents(tree).values())
    fetched = store.port.fetch(ref, tmp_path / "cache")
    assert contents(fetched) == contents(tree)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [fetched, *fetched.rglob("*")]}
    assert (modes["run.sh"], modes["config.json"], modes["deep"]) == (0o555, 0o444, 0o555)


def test_the_same_tree_has_the_same_name_in_every_store(store: Store, tree: Path) -> None:
    ref = store.port.put_tree(KIND, tree)
    assert store.port.put_tree(KIND, tree) == ref
    assert memory_store().port.put_tree(KIND, tree) == ref
    (tree / "run.sh").chmod(0o644)
    assert store.port.put_tree(KIND, tree) != ref


def test_what_is_fetched_already_is_not_fetched_again(store: Store, tree: Path, tmp_path: Path) -> None:
    ref = store.port.put_tree(KIND, tree)
    fetched = store.port.fetch(ref, tmp_path / "cache")
    before = fetched.stat().st_ino
    store.spoil(ref.key, b"{}")
    assert store.port.fetch(ref, tmp_path / "cache").stat().st_ino == before


@pytest.mark.parametrize("special", ["link", "dangling link", "fifo"])
def test_links_and_special_files_are_refused(store: Store, tree: Path, special: str) -> None:
    match special:
        case "link":
            (tree / "deep" / "x").symlink_to("/etc/passwd")
        case "dangling link":
            (tree / "deep" / "x").symlink_to("nowhere")
        case "fifo":
            os.mkfifo(tree / "deep" / "x")
    with pytest.raises(ValueError, match="x"):
        store.port.put_tree(KIND, tree)
    with pytest.raises(ValueError, match="x"):
        store.port.put_file(KIND, tree / "deep" / "x")


def test_other_bytes_are_never_handed_out(store: Store, tmp_path: Path) -> None:
    ref = store.port.put_bytes(KIND, b"right")
    store.spoil(ref.key, b"wrong")
    with pytest.raises(IntegrityError):
        store.port.get_bytes(ref)
    with pytest.raises(IntegrityError):
        store.port.fetch(ref, tmp_path)
    assert not (tmp_path / ref.sha256).exists()


@pytest.mark.parametrize("spoilt", ["manifest", "file"])
def test_a_spoilt_tree_is_not_fetched_at_all(store: Store, tree: Path, tmp_path: Path, spoilt: str) -> None:
    ref = store.port.put_tree(KIND, tree)
    file = f"{ref.prefix}/files/{sha256_hex(b'same')}"
    store.spoil(ref.key if spoilt == "manifest" else file, b"evil")
    with pytest.raises(IntegrityError):
        store.port.fetch(ref, tmp_path / "cache")
    assert not (tmp_path / "cache" / ref.sha256).exists()


def test_what_was_promised_and_is_not_there_is_no_whole_promise(store: Store, tmp_path: Path) -> None:
    ref = memory_store().port.put_bytes(KIND, b"elsewhere")
    assert not store.port.exists(ref)
    with pytest.raises(IntegrityError):
        store.port.get_bytes(ref)
    with pytest.raises(IntegrityError):
        store.port.fetch(ref, tmp_path)


def test_existence_is_that_of_kind_and_bytes(store: Store, tree: Path) -> None:
    file, folder = store.port.put_bytes(KIND, b"x"), store.port.put_tree(KIND, tree)
    assert store.port.exists(file) and store.port.exists(folder)
    assert not store.port.exists(file.model_copy(update={"kind": ArtifactKind.LOG}))
    assert not store.port.exists(folder.model_copy(update={"is_tree": False}))


def test_a_tree_is_not_got_as_bytes(store: Store, tree: Path) -> None:
    with pytest.raises(ValueError, match="tree"):
        store.port.get_bytes(store.port.put_tree(KIND, tree))
