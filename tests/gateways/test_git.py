"""Miners' repositories: the honest one, and every trick that we know of, really built."""

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SubmissionError, UnreachableError
from gateways.git_tree import MTIME, check_path
from tests.gateways.git_hosts import FILE, FOLDER, LINK, SCRIPT, SUBMODULE, HostileRepository, fetch, refusal


@pytest.fixture
def repository(tmp_path: Path) -> HostileRepository:
    return HostileRepository(tmp_path / "owner" / "entry")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


# What is fetched

FILES = {
    "train.py": b"print()\n",
    "dockerfiles/text.dockerfile": b"FROM scratch\n",
    "data/odd \xfc.bin".encode().decode("latin-1"): b"\0" * 3000,
}


def test_the_files_of_the_commit_arrive(repository: HostileRepository, into: Path) -> None:
    (repository.folder / "run.sh").write_text("#!/bin/sh\n")
    (repository.folder / "run.sh").chmod(0o755)
    commit = repository.commit_files(FILES)
    assert fetch(repository.link, commit, into) == FILES | {"run.sh": b"#!/bin/sh\n"}
    assert os.access(into / "run.sh", os.X_OK)
    assert (into / "train.py").stat().st_mode & 0o777 == 0o644
    assert {path.stat().st_mtime for path in [into, *into.rglob("*")]} == {MTIME}


def test_a_path_serves_as_a_link_on_this_machine(repository: HostileRepository, into: Path) -> None:
    assert fetch(str(repository.folder), repository.commit_files(FILES), into) == FILES


def test_a_commit_that_no_branch_leads_to_arrives(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files(FILES)
    repository.git("update-ref", "-d", "refs/heads/main")
    assert fetch(repository.link, commit, into) == FILES


def test_an_older_commit_arrives_as_it_was(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files({"train.py": b"one"})
    repository.commit_files({"train.py": b"two", "more": b"more"})
    assert fetch(repository.link, commit, into) == {"train.py": b"one"}


def test_an_empty_commit_is_an_empty_folder(repository: HostileRepository, into: Path) -> None:
    assert fetch(repository.link, repository.commit_entries(), into) == {}


def test_a_folder_that_is_not_empty_is_left_alone(repository: HostileRepository, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not empty"):
        fetch(repository.link, repository.commit_files(FILES), tmp_path)


# Nothing of the miner's runs, and no byte is changed


def test_filters_attributes_and_hooks_do_nothing(repository: HostileRepository, into: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (hooks / name).chmod(0o755)
    files = {
        ".gitattributes": b"*.py filter=evil ident text eol=crlf export-subst\n* working-tree-encoding=UTF-16\n",
        ".gitmodules": b'[submodule "a"]\n\tpath = a\n\turl = https://example.org/a\n',
        ".lfsconfig": b"[lfs]\n\turl = https://example.org\n",
        "train.py": b"$Id$ $Format:%H$\n",
    }
    commit = repository.commit_entries(*[(FILE, name.encode(), repository.blob(data)) for name, data in files.items()])
    for key, value in {
        "filter.evil.smudge": f"touch {trap}",
        "filter.evil.process": f"touch {trap}",
        "core.hooksPath": str(hooks),
        "core.fsmonitor": f"touch {trap}; false",
        "uploadpack.packObjectsHook": f"touch {trap}; exec",
        "core.sshCommand": f"touch {trap}",
        "core.pager": f"touch {trap}",
        "core.alternateRefsCommand": f"touch {trap}",
    }.items():
        repository.git("config", key, value)
    assert fetch(repository.link, commit, into) == files
    assert not trap.exists()


def test_objects_that_are_promised_elsewhere_are_not_sent_for(
    repository: HostileRepository, into: Path, tmp_path: Path
) -> None:
    """CVE-2024-32004: a repository may name a command that is to bring its missing objects."""
    trap = tmp_path / "trap"
    missing = repository.blob(b"never there")
    commit = repository.commit_entries((FILE, b"train.py", missing))
    repository.object_path(missing).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": f"file://{repository.folder}",
        "remote.evil.uploadpack": f"touch {trap}; false",
    }.items():
        repository.git("config", key, value)
    with pytest.raises((SubmissionError, UnreachableError)):
        fetch(repository.link, commit, into)
    assert not trap.exists()


def test_replaced_objects_are_not_looked_at(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files({"train.py": b"shown"})
    repository.git("replace", repository.blob(b"shown"), repository.blob(b"other"))
    assert fetch(repository.link, commit, into) == {"train.py": b"shown"}


def test_our_own_configuration_and_credentials_are_not_used(
    repository: HostileRepository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    (tmp_path / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {tmp_path}\n[url "file:///nowhere"]\n\tinsteadOf = file://\n'
    )
    for name, value in {
        "HOME": str(tmp_path),
        "GIT_ASKPASS": f"touch {trap}",
        "GIT_DIR": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.file:///nowhere.insteadOf",
        "GIT_CONFIG_VALUE_0": "file://",
    }.items():
        monkeypatch.setenv(name, value)
    link = repository.link
    with monkeypatch.context() as clean:
        for name in ("GIT_DIR", "GIT_CONFIG_COUNT"):
            clean.delenv(name)
        commit = repository.commit_files(FILES)
    assert fetch(link, commit, into) == FILES
    assert not trap.exists()


# Trees that are refused


def submodule(r: HostileRepository) -> str:
    return r.commit_entries((SUBMODULE, b"vendor", "1" * 40))


def link_to(target: bytes) -> Callable[[HostileRepository], str]:
    return lambda r: r.commit_entries((FOLDER, b"a", r.tree((LINK, b"passwd", r.blob(target)))))


def named(name: bytes, mode: bytes = FILE) -> Callable[[HostileRepository], str]:
    return lambda r: r.commit_entries((mode, name, r.blob()))


def folder_named(name: bytes) -> Callable[[HostileRepository], str]:
    return lambda r: r.commit_entries((FOLDER, name, r.tree((SCRIPT, b"post-checkout", r.blob(b"#!/bin/sh\n")))))


def git_hooks(r: HostileRepository) -> str:
    hooks = r.tree((SCRIPT, b"post-checkout", r.blob(b"#!/bin/sh\n")))
    return r.commit_entries((FOLDER, b".git", r.tree((FOLDER, b"hooks", hooks))))


def twins(first: bytes, second: bytes) -> Callable[[HostileRepository], str]:
    return lambda r: r.commit_entries((FILE, first, r.blob()), (FILE, second, r.blob()))


def same_name_as_file_and_folder(r: HostileRepository) -> str:
    return r.commit_entries((FILE, b"a", r.blob()), (FOLDER, b"a", r.tree((FILE, b"b", r.blob()))))


def long_path(r: HostileRepository) -> str:
    tree = r.tree((FILE, b"f", r.blob()))
    for _ in range(12):
        tree = r.tree((FOLDER, b"n" * 100, tree))
    return r.commit_tree(tree)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (b"0" * 64)
REFUSED_TREES = {
    "submodule": (submodule, "'vendor' is a submodule"),
    "link out": (link_to(b"/etc/passwd"), "'a/passwd' is a symbolic link"),
    "link inside": (link_to(b"../train.py"), "'a/passwd' is a symbolic link"),
    "file ..": (named(b".."), ""),
    "folder ..": (folder_named(b".."), ""),
    "folder .": (folder_named(b"."), ""),
    "slash": (named(b"../../out"), ""),
    "absolute": (named(b"/tmp/out"), ""),
    "empty": (named(b""), ""),
    ".git": (git_hooks, ""),
    ".GIT": (folder_named(b".GiT"), ""),
    "git~1": (folder_named(b"git~1"), ""),
    ".git with a dot": (folder_named(b".git. ."), ""),
    ".git for HFS": (folder_named(".g\u200cit".encode()), ""),
    ".git as a file": (named(b".git"), ""),
    ".gitmodules link": (lambda r: r.commit_entries((LINK, b".gitmodules", r.blob(b"/etc/passwd"))), ""),
    "newline": (named(b"a\nb"), "character that does not print"),
    "escape": (named(b"\x1b[31mred"), "character that does not print"),
    "turned around": (named("exe\u202etxt.py".encode()), "character that does not print"),
    "backslash": (named(b"..\\out"), "backslash"),
    "not UTF-8": (named(b"\xff\xfe"), "is not UTF-8"),
    "long name": (named(b"n" * 256), "longer than 255"),
    "long path": (long_path, "longer than 1000 bytes"),
    "long as a novel": (named(b"n" * 200_000), ""),
    "letter case": (twins(b"Train.py", b"train.py"), "'Train.py' and 'train.py' are the same but for letter case"),
    "Unicode form": (twins("\u00e9.py".encode(), "e\u0301.py".encode()), "the same but for letter case"),
    "file and folder": (same_name_as_file_and_folder, ""),
    "twice": (twins(b"a", b"a"), ""),
    "odd mode": (named(b"device", b"020000"), ""),
    "LFS": (lambda r: r.commit_entries((FILE, b"model.bin", r.blob(LFS))), "'model.bin' is a Git LFS pointer; commit"),
}


@pytest.mark.parametrize("trick", REFUSED_TREES)
def test_a_tree_that_is_not_plain_files_is_refused(repository: HostileRepository, into: Path, trick: str) -> None:
    build, said = REFUSED_TREES[trick]
    commit = build(repository)
    assert said in refusal(repository.link, commit, into)
    assert trick == "LFS" or list(into.iterdir()) == []
    assert not (into.parent / "out").exists()


@pytest.mark.parametrize(
    "path", ["..", "a/../b", "/a", "a//b", "a/", ".", "", "a/.GIT/x", ".git ./x", "git~1", "a\tb", "a\\b"]
)
def test_paths_are_judged_by_us_as_well_as_by_git(path: str) -> None:
    with pytest.raises(SubmissionError):
        check_path(path)


def test_a_text_about_lfs_is_no_pointer(repository: HostileRepository, into: Path) -> None:
    files = {"README.md": b"# " + LFS, "long": LFS + b"." * 2000}
    assert fetch(repository.link, repository.commit_files(files), into) == files


# Too much


def test_too_many_files_are_refused(repository: HostileRepository, into: Path) -> None:
    blob = repository.blob()
    files = [(FILE, b"%05d" % number, blob) for number in range(5000)]
    assert "more than 200 files" in refusal(repository.link, repository.commit_entries(*files), into)
    few = repository.commit_entries(*files[:200])
    assert len(fetch(repository.link, few, into)) == 200


def bomb(r: HostileRepository, leaf: list[tuple[bytes, bytes, str]], depth: int) -> str:
    tree = r.tree(*leaf)
    for _ in range(depth):
        tree = r.tree(*[(FOLDER, b"%d" % number, tree) for number in range(10)])
    return r.commit_tree(tree)


@pytest.mark.parametrize("leaf", ["files", "nothing"])
def test_a_tree_of_ten_to_the_tenth_paths_is_refused_soon(repository: HostileRepository, into: Path, leaf: str) -> None:
    commit = bomb(repository, [(FILE, b"f", repository.blob())] if leaf == "files" else [], 10)
    started = time.monotonic()
    assert "more than 200 files or folders" in refusal(repository.link, commit, into)
    assert time.monotonic() - started < 10


def test_a_tree_of_endless_depth_is_refused(repository: HostileRepository, into: Path) -> None:
    tree = repository.tree((FILE, b"f", repository.blob()))
    for _ in range(600):
        tree = repository.tree((FOLDER, b"d", tree))
    assert "longer than 1000 bytes" in refusal(repository.link, repository.commit_tree(tree), into, max_files=5000)


def test_a_repository_larger_than_the_limit_is_cut_off(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files({"noise": os.urandom(9 << 20)})
    assert "is larger than 8 MiB" in refusal(repository.link, commit, into)


def test_a_small_pack_of_large_files_is_refused(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files({"zeros": bytes(64 << 20)})
    assert "its files take more than 8 MiB together; 'zeros'" in refusal(repository.link, commit, into)


def test_one_large_file_under_many_names_is_refused(repository: HostileRepository, into: Path) -> None:
    blob = repository.blob(bytes(1 << 20))
    commit = repository.commit_entries(*[(FILE, b"%02d" % number, blob) for number in range(9)])
    assert "more than 8 MiB together; '08'" in refusal(repository.link, commit, into)


# Commits that are none


@pytest.mark.parametrize(
    "commit", ["main", "HEAD", "", "--upload-pack=touch trap", "0123456", "A" * 40, "a" * 41, "g" * 40, "a" * 40 + "\n"]
)
def test_what_is_not_a_full_commit_is_refused(repository: HostileRepository, into: Path, commit: str) -> None:
    repository.commit_files(FILES)
    assert "is not a full commit" in refusal(repository.link, commit, into)


def test_an_abbreviated_commit_is_refused(repository: HostileRepository, into: Path) -> None:
    assert "is not a full commit" in refusal(repository.link, repository.commit_files(FILES)[:39], into)


def test_a_commit_that_is_not_there_is_refused(repository: HostileRepository, into: Path) -> None:
    repository.commit_files(FILES)
    assert "has no such commit" in refusal(repository.link, "1" * 40, into)


def test_other_objects_are_no_commits(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files(FILES)
    repository.git("tag", "-a", "-m", "one", "one")
    for name, kind in {"one": "tag", "HEAD^{tree}": "tree", "HEAD:train.py": "blob"}.items():
        assert f"is a {kind}, not a commit" in refusal(repository.link, repository.git("rev-parse", name), into)
    assert fetch(repository.link, commit, into) == FILES


def test_an_object_that_is_not_what_its_name_says_is_refused(repository: HostileRepository, into: Path) -> None:
    commit = repository.commit_files({"train.py": b"the promised"})
    path = repository.object_path(repository.blob(b"the promised"))
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 12\0something el"))
    with pytest.raises((SubmissionError, UnreachableError)):
        fetch(repository.link, commit, into)
    assert list(into.iterdir()) == []


def test_a_broken_commit_is_refused(repository: HostileRepository, into: Path) -> None:
    commit = repository.write("commit", b"tree %s\nauthor nobody\n\nx\n" % repository.tree().encode())
    repository.git("update-ref", "--no-deref", "refs/heads/main", commit)
    assert "holds objects that git refuses" in refusal(repository.link, commit, into)


def test_nothing_of_ours_is_left_behind(
    repository: HostileRepository, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    fetch(repository.link, repository.commit_files(FILES), into)
    refusal(repository.link, "1" * 40, tmp_path / "other")
    assert list(scratch.iterdir()) == []
