"""The artifact store against an S3 server in memory and one on disk, and against a store that lies."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.artifacts import MANIFEST, ArtifactKind, ArtifactRef, Manifest, TreeFile
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from core.value import canonical_json, sha256_hex
from gateways import s3
from gateways.s3 import S3Artifacts
from gateways.settings import ArtifactSettings
from tests.conftest import artifact_settings

KIND = ArtifactKind.CHECKPOINT


@pytest.fixture
def store(s3_settings: ArtifactSettings) -> S3Artifacts:
    return S3Artifacts(s3_settings)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with what is awkward: a script, an empty file, twins, names that mean something elsewhere."""
    root = tmp_path / "tree"
    for name, text in {
        "manifest.json": "not ours",
        "model/weights.bin": "w" * 5000,
        "model/deep/er/twin": "w" * 5000,
        "empty": "",
        ".rclone_temp_ü ? #%2F&+.txt": "odd name",
        "run.sh": "#!/bin/sh\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "run.sh").chmod(0o755)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def keys(s3_client: Any, settings: ArtifactSettings) -> set[str]:
    return {item["Key"] for item in s3_client.list_objects_v2(Bucket=settings.bucket).get("Contents", [])}


def plant(s3_client: Any, settings: ArtifactSettings, *files: dict[str, Any]) -> ArtifactRef:
    """Put a manifest that no one of ours would write, as honestly hashed as can be."""
    text = canonical_json({"files": [{"executable": False, **file} for file in files]})
    ref = ArtifactRef(kind=KIND, sha256=sha256_hex(text), size_bytes=sum(f["size_bytes"] for f in files), is_tree=True)
    s3_client.put_object(Bucket=settings.bucket, Key=ref.key, Body=text)
    for data in (b"", b"x"):
        s3_client.put_object(Bucket=settings.bucket, Key=f"{ref.prefix}/files/{sha256_hex(data)}", Body=data)
    return ref


def entry(path: str, data: bytes = b"x") -> dict[str, Any]:
    return {"path": path, "sha256": sha256_hex(data), "size_bytes": len(data)}


# Round trips


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 5000])
def test_bytes_come_back(store: S3Artifacts, tmp_path: Path, data: bytes) -> None:
    ref = store.put_bytes(ArtifactKind.REPORT, data)
    assert ref == ArtifactRef(kind=ArtifactKind.REPORT, sha256=sha256_hex(data), size_bytes=len(data))
    assert store.exists(ref)
    assert store.get_bytes(ref) == data
    assert store.fetch(ref, tmp_path / "cache").read_bytes() == data


def test_a_file_in_many_parts_comes_back(store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings) -> None:
    data = os.urandom(20 << 20)
    path = tmp_path / "large"
    path.write_bytes(data)
    ref = store.put_file(KIND, path)
    assert s3_client.head_object(Bucket=s3_settings.bucket, Key=ref.key)["ContentLength"] == len(data) > s3.PART_BYTES
    assert store.fetch(ref, tmp_path / "cache").read_bytes() == data


def test_a_tree_comes_back_read_only(store: S3Artifacts, tmp_path: Path, tree: Path) -> None:
    ref = store.put_tree(KIND, tree)
    fetched = store.fetch(ref, tmp_path / "cache")
    assert fetched == tmp_path / "cache" / ref.sha256
    assert contents(fetched) == contents(tree)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [fetched, *fetched.rglob("*")]}
    assert modes["run.sh"] == modes["deep"] == modes[ref.sha256] == 0o555
    assert modes["empty"] == 0o444


def test_a_tree_is_named_by_what_is_in_it(store: S3Artifacts, tree: Path) -> None:
    first = store.put_tree(KIND, tree)
    assert store.put_tree(KIND, tree) == first
    (tree / "run.sh").chmod(0o644)
    assert store.put_tree(KIND, tree).sha256 != first.sha256


def test_an_empty_tree_comes_back(store: S3Artifacts, tmp_path: Path) -> None:
    (tmp_path / "tree" / "folder").mkdir(parents=True)
    ref = store.put_tree(KIND, tmp_path / "tree")
    assert list(store.fetch(ref, tmp_path / "cache").iterdir()) == []


def test_keys_say_nothing_but_hashes(
    store: S3Artifacts, tree: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    """Names inside a tree are a miner's; they must not reach the store's own name space."""
    ref = store.put_tree(KIND, tree)
    files = {f"{ref.prefix}/files/{sha256_hex(data)}" for data in contents(tree).values()}
    assert keys(s3_client, s3_settings) == files | {f"{ref.prefix}/{MANIFEST}"}


def test_what_was_never_stored_is_absent(store: S3Artifacts, tmp_path: Path) -> None:
    ref = ArtifactRef(kind=KIND, sha256="0" * 64, size_bytes=3)
    assert not store.exists(ref)
    with pytest.raises(IntegrityError, match=f"{ref.key} is not in bucket"):
        store.get_bytes(ref)
    with pytest.raises(IntegrityError):
        store.fetch(ref, tmp_path)
    assert not (tmp_path / ref.sha256).exists()


def test_a_tree_is_not_got_as_bytes(store: S3Artifacts, tree: Path) -> None:
    with pytest.raises(ValueError, match="is a tree"):
        store.get_bytes(store.put_tree(KIND, tree))


# What may not be stored


def test_links_and_special_files_are_refused(store: S3Artifacts, tmp_path: Path, tree: Path) -> None:
    link = tree / "model" / "link"
    for make in (
        lambda: link.symlink_to("/etc/passwd"),
        lambda: link.symlink_to(tree / "model"),
        lambda: link.symlink_to("nowhere"),
        lambda: os.mkfifo(link),
    ):
        make()
        with pytest.raises(ValueError, match=r"model/link .* is a link or special file"):
            store.put_tree(KIND, tree)
        with pytest.raises(ValueError, match="is a link or special file"):
            store.put_file(KIND, link)
        link.unlink()
    (tmp_path / "way in").symlink_to(tree)
    with pytest.raises(ValueError, match="is no folder"):
        store.put_tree(KIND, tmp_path / "way in")


@pytest.mark.parametrize("name", [b"back\\slash", b"not utf-8 \xff", b"d/" * 600 + b"deep"])
def test_names_that_cannot_come_back_are_refused(store: S3Artifacts, tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path / "tree") + b"/" + name
    os.makedirs(os.path.dirname(path))
    with open(path, "wb"):
        pass
    with pytest.raises(ValueError):
        store.put_tree(KIND, tmp_path / "tree")


def test_a_file_that_changes_while_it_is_stored_is_not_kept(
    store: S3Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")
    looked = store._size_of
    monkeypatch.setattr(store, "_size_of", lambda key: (path.write_bytes(b"two"), looked(key))[1])
    with pytest.raises(ValueError, match="changed while it was stored"):
        store.put_file(KIND, path)
    monkeypatch.undo()
    assert not store.exists(ArtifactRef(kind=KIND, sha256=sha256_hex(b"one"), size_bytes=3))


# Writing twice, and dying in between


def test_what_is_there_is_not_written_again(store: S3Artifacts, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put() -> list[ArtifactRef]:
        return [store.put_bytes(KIND, b"data"), store.put_file(KIND, tree / "run.sh"), store.put_tree(KIND, tree)]

    first = put()
    written: list[Any] = []
    store._s3.meta.events.register("before-call.s3.PutObject", lambda **_: written.append(1))
    assert put() == first
    assert written == []


def test_a_tree_cut_off_in_the_middle_is_absent_and_can_be_completed(
    store: S3Artifacts, tmp_path: Path, tree: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    ref = store.put_tree(KIND, tree)
    stored = keys(s3_client, s3_settings)
    for key in [ref.key, f"{ref.prefix}/files/{sha256_hex(b'')}", f"{ref.prefix}/files/{sha256_hex(b'odd name')}"]:
        s3_client.delete_object(Bucket=s3_settings.bucket, Key=key)
    s3_client.put_object(Bucket=s3_settings.bucket, Key=f"{ref.prefix}/files/{sha256_hex(b'not ours')}", Body=b"not")
    assert not store.exists(ref)
    with pytest.raises(IntegrityError):
        store.fetch(ref, tmp_path / "cache")
    assert store.put_tree(KIND, tree) == ref
    assert keys(s3_client, s3_settings) == stored
    assert contents(store.fetch(ref, tmp_path / "cache")) == contents(tree)


def test_the_manifest_is_written_after_every_file(store: S3Artifacts, tree: Path) -> None:
    written: list[str] = []
    store._s3.meta.events.register("after-call.s3.PutObject", lambda context, **_: written.append("done"))
    store._s3.meta.events.register(
        "before-parameter-build.s3.PutObject", lambda params, **_: written.append(params["Key"].rpartition("/")[2])
    )
    store.put_tree(KIND, tree)
    assert written[-2:] == [MANIFEST, "done"]
    assert written.count("done") == len(written) / 2 == len(set(contents(tree).values())) + 1


# A store that lies


def test_other_bytes_under_a_key_are_never_handed_out(
    store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    ref = store.put_bytes(KIND, b"the truth")
    for lie in (b"the truTh", b"the", b"", b"the truth and more"):
        s3_client.put_object(Bucket=s3_settings.bucket, Key=ref.key, Body=lie)
        with pytest.raises(IntegrityError, match=ref.key) as caught:
            store.get_bytes(ref)
        assert ref.sha256 in str(caught.value)
        assert len(lie) > ref.size_bytes or sha256_hex(lie) in str(caught.value)
        with pytest.raises(IntegrityError):
            store.fetch(ref, tmp_path)
    assert not (tmp_path / ref.sha256).exists()


def test_one_wrong_file_spoils_the_tree(
    store: S3Artifacts, tmp_path: Path, tree: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    ref = store.put_tree(KIND, tree)
    key = f"{ref.prefix}/files/{sha256_hex(b'w' * 5000)}"
    s3_client.put_object(Bucket=s3_settings.bucket, Key=key, Body=b"v" * 5000)
    with pytest.raises(IntegrityError, match=key):
        store.fetch(ref, tmp_path / "cache")
    s3_client.put_object(Bucket=s3_settings.bucket, Key=key, Body=b"w" * 5000)
    assert contents(store.fetch(ref, tmp_path / "cache")) == contents(tree)


def test_another_manifest_is_refused(
    store: S3Artifacts, tmp_path: Path, tree: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    ref = store.put_tree(KIND, tree)
    manifest = Manifest.model_validate_json(s3_client.get_object(Bucket=s3_settings.bucket, Key=ref.key)["Body"].read())
    extra = TreeFile(path="zzz", sha256=sha256_hex(b""), size_bytes=0)
    for files in (manifest.files[1:], (*manifest.files, extra), ()):
        text = canonical_json(Manifest(files=files))
        s3_client.put_object(Bucket=s3_settings.bucket, Key=ref.key, Body=text)
        with pytest.raises(IntegrityError, match=f"{MANIFEST} holds .* {sha256_hex(text)}, not {ref.sha256}"):
            store.fetch(ref, tmp_path / "cache")


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out", "", ".", "a//b", "a\\b", "nul\0", "x" * 2000])
def test_a_manifest_with_a_path_that_leads_out_is_refused(
    store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings: ArtifactSettings, path: str
) -> None:
    ref = plant(s3_client, s3_settings, entry(path))
    with pytest.raises(IntegrityError, match="is not a tree's manifest"):
        store.fetch(ref, tmp_path / "cache")
    assert contents(tmp_path) == {f"cache/.{ref.sha256}.lock": b""}


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"]])
def test_a_manifest_that_contradicts_itself_is_refused(
    store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings: ArtifactSettings, paths: list[str]
) -> None:
    ref = plant(s3_client, s3_settings, *map(entry, paths))
    with pytest.raises(IntegrityError, match="twice, or both as a file and as a folder"):
        store.fetch(ref, tmp_path / "cache")


def test_a_tree_of_another_size_than_promised_is_refused(
    store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings: ArtifactSettings
) -> None:
    ref = plant(s3_client, s3_settings, entry("a"))
    with pytest.raises(IntegrityError, match="does not describe the tree"):
        store.fetch(ref.model_copy(update={"size_bytes": 0}), tmp_path / "cache")


def test_an_endless_manifest_is_not_read_to_its_end(
    store: S3Artifacts, tmp_path: Path, s3_client: Any, s3_settings: ArtifactSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MAX_MANIFEST_BYTES", 1000)
    ref = plant(s3_client, s3_settings, *(entry(f"{number}") for number in range(20)))
    with pytest.raises(IntegrityError, match="holds more than the 1000 bytes"):
        store.fetch(ref, tmp_path / "cache")


# Many at once

FETCH = """
import sys
from pathlib import Path
from core.artifacts import ArtifactRef
from gateways.s3 import S3Artifacts
from gateways.settings import ArtifactSettings
settings, ref, into = sys.argv[1:]
S3Artifacts(ArtifactSettings.model_validate_json(settings)).fetch(ArtifactRef.model_validate_json(ref), Path(into))
"""


def test_threads_and_processes_may_fetch_the_same_at_once(
    store: S3Artifacts, s3_settings: ArtifactSettings, tmp_path: Path, tree: Path
) -> None:
    ref, into = store.put_tree(KIND, tree), tmp_path / "cache"
    secret = s3_settings.secret_key.get_secret_value()
    settings = s3_settings.model_dump_json().replace("**********", secret)
    command = [sys.executable, "-c", FETCH, settings, ref.model_dump_json(), str(into)]
    others = [subprocess.Popen(command) for _ in range(2)]
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: store.fetch(ref, into), range(12))) == {into / ref.sha256}
    assert [other.wait() for other in others] == [0, 0]
    assert contents(into / ref.sha256) == contents(tree)
    assert {path.name for path in into.iterdir()} == {ref.sha256, f".{ref.sha256}.lock"}


def test_what_a_killed_fetch_left_behind_is_in_nobodys_way(store: S3Artifacts, tmp_path: Path, tree: Path) -> None:
    ref = store.put_tree(KIND, tree)
    unfinished = tmp_path / f".{ref.sha256}.unfinished"
    (unfinished / "model").mkdir(parents=True)
    (unfinished / "empty").write_text("half")
    (unfinished / "model").chmod(0o555)
    assert contents(store.fetch(ref, tmp_path)) == contents(tree)
    assert not unfinished.exists()


# A server that is not as it should be


def test_a_server_that_is_killed_is_unreachable_until_it_is_back(
    rclone_server: Any, tmp_path: Path, tree: Path
) -> None:
    settings = rclone_server.settings
    store = S3Artifacts(settings)
    store.ensure_bucket()
    ref = store.put_tree(KIND, tree)
    rclone_server.kill()
    with pytest.raises(UnreachableError, match=f"{settings.endpoint} does not answer"):
        store.exists(ref)
    rclone_server.start()
    assert store.exists(ref)
    assert contents(store.fetch(ref, tmp_path / "cache")) == contents(tree)


def test_a_missing_bucket_says_what_to_do(s3_settings: ArtifactSettings) -> None:
    store = S3Artifacts(s3_settings.model_copy(update={"bucket": "no-such-bucket"}))
    with pytest.raises(PrerequisiteError, match=r"'no-such-bucket' .* does not exist: run `god up`"):
        store.put_bytes(KIND, b"data")


def test_making_the_bucket_twice_is_no_error(store: S3Artifacts) -> None:
    ref = store.put_bytes(KIND, b"data")
    store.ensure_bucket()
    assert store.get_bytes(ref) == b"data"


@pytest.mark.parametrize("wrong", [{"access_key": "somebody-else"}, {"secret_key": SecretStr("a guess, no more")}])
def test_wrong_keys_say_what_to_set(rclone_server: Any, wrong: dict[str, Any]) -> None:
    """moto takes any key, so this needs a server that looks."""
    right = rclone_server.settings
    S3Artifacts(right).ensure_bucket()
    with pytest.raises(PrerequisiteError, match=r"does not take our keys .*GOD_ARTIFACTS__ACCESS_KEY"):
        S3Artifacts(right.model_copy(update=wrong)).put_bytes(KIND, b"data")


def test_no_keys_at_all_say_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"no keys for bucket 'god' .*: set GOD_ARTIFACTS"):
        S3Artifacts(ArtifactSettings(endpoint="http://127.0.0.1:9")).put_bytes(KIND, b"data")


def test_a_bucket_made_by_several_at_once_is_everybodys(s3_endpoint: str) -> None:
    settings = artifact_settings(s3_endpoint)
    with ThreadPoolExecutor(8) as threads:
        makers = [threads.submit(S3Artifacts(settings).ensure_bucket) for _ in range(8)]
    assert [maker.result() for maker in makers] == [None] * 8
