"""Links to repositories, and the hosts behind them."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PrerequisiteError, SubmissionError, UnreachableError
from gateways.git import remote_of
from gateways.settings import RepositorySettings
from tests.gateways.git_hosts import HostileRepository, fetch, git_host, refusal

FILES = {"train.py": b"print()\n", "dockerfiles/text.dockerfile": b"FROM scratch\n"}


@pytest.fixture
def repository(tmp_path: Path) -> HostileRepository:
    return HostileRepository(tmp_path / "owner" / "entry")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "into"


# Links that are none

COMMIT = "1" * 40
REFUSED_LINKS = [
    "",
    "git@github.com:owner/name.git",
    "ssh://git@github.com/owner/name",
    "git://github.com/owner/name",
    "http://github.com/owner/name",
    "HTTPS://github.com/owner/name",
    "ext::sh -c touch% trap",
    "ext::sh",
    "fd::3",
    "https::ext::sh",
    "--upload-pack=touch trap",
    "-c",
    "file:///etc",
    "/etc",
    "owner/name",
    "https://example.org/owner/name",
    "https://github.com.example.org/owner/name",
    "https://github.com@example.org/owner/name",
    "https://user@github.com/owner/name",
    "https://user:password@github.com/owner/name",
    "https://github.com:443/owner/name",
    "https://github.com:22/owner/name",
    "https://github.com\\@example.org/owner/name",
    "https://github.com/owner",
    "https://github.com/",
    "https://github.com/owner/../../name",
    "https://github.com/./owner",
    "https://github.com//name",
    "https://github.com/owner/name?service=x",
    "https://github.com/owner/name#main",
    "https://github.com/owner/na%2e%2e",
    "https://github.com/owner/name\n",
    "https://github.com/owner/na me",
    "https://github.com/owner/näme",
    "https://[::1/owner/name",
    "https://github.com/owner/" + "n" * 500,
]


@pytest.mark.parametrize("link", REFUSED_LINKS)
def test_what_is_not_a_link_to_a_listed_host_is_refused(into: Path, link: str) -> None:
    assert refusal(link, COMMIT, into, allow_local=False)
    assert not into.exists()


@given(
    st.text(st.characters(codec="utf-8") | st.sampled_from("/:@.-?#\\[]")),
    st.sampled_from(["", "https://", "https://github.com/", "https://github.com"]),
)
def test_any_link_is_either_plain_or_refused(text: str, start: str) -> None:
    try:
        remote = remote_of(start + text, RepositorySettings())
    except SubmissionError:
        return
    host, _, path = remote.url.removeprefix("https://").partition("/")
    assert remote.protocol == "https" and host in RepositorySettings().hosts
    assert set(path) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+-/")
    assert not {".", ".."} & set(path.split("/"))


def test_a_local_link_needs_the_setting_and_a_repository(
    repository: HostileRepository, into: Path, tmp_path: Path
) -> None:
    commit = repository.commit_files(FILES)
    assert "is not a link that starts with https" in refusal(repository.link, commit, into, allow_local=False)
    assert "is not a folder" in refusal(f"file://{tmp_path}/none", commit, into)
    (tmp_path / "plain").mkdir()
    assert "is not a git repository" in refusal(f"file://{tmp_path}/plain", commit, into)


# A host by https


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    certificate = tmp_path / "certificate.pem"
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with git_host(tmp_path / "owner", certificate) as running:
        yield running


def test_a_commit_arrives_by_https(repository: HostileRepository, into: Path, host: tuple[str, list[str]]) -> None:
    commit = repository.commit_files(FILES)
    repository.commit_files({"later": b"later"})
    address, asked = host
    assert fetch(f"https://{address}/good/entry", commit, into, hosts=(address,), allow_local=False) == FILES
    assert asked


def test_a_large_repository_is_cut_off_on_its_way(
    repository: HostileRepository, into: Path, host: tuple[str, list[str]]
) -> None:
    commit = repository.commit_files({"noise": os.urandom(9 << 20)})
    link = f"https://{host[0]}/good/entry"
    assert "is larger than 8 MiB" in refusal(link, commit, into, hosts=(host[0],))
    assert "has no such commit" in refusal(link, COMMIT, into, hosts=(host[0],))


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        ("gone", "is not there, or not public"),
        ("private", "is not there, or not public"),
        ("forbidden", "is not there, or not public"),
        ("moved", "is answered with a redirect"),
    ],
)
def test_what_the_host_refuses_is_the_miners_to_mend(
    repository: HostileRepository, into: Path, host: tuple[str, list[str]], owner: str, said: str
) -> None:
    address, asked = host
    commit = repository.commit_files(FILES)
    assert said in refusal(f"https://{address}/{owner}/entry", commit, into, hosts=(address,))
    assert all(path.startswith(f"/{owner}/") for path in asked), "a redirect was followed"


@pytest.mark.parametrize("owner", ["broken", "busy"])
def test_a_host_in_trouble_is_nobodys_fault(into: Path, host: tuple[str, list[str]], owner: str) -> None:
    with pytest.raises(UnreachableError, match=f"{host[0]}/{owner}/entry"):
        fetch(f"https://{host[0]}/{owner}/entry", COMMIT, into, hosts=(host[0],))


def test_a_host_that_does_not_go_on_is_left_in_time(into: Path, host: tuple[str, list[str]]) -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"did not arrive within 0.7 s"):
        fetch(f"https://{host[0]}/slow/entry", COMMIT, into, hosts=(host[0],), seconds=0.7)
    assert time.monotonic() - started < 4


def test_a_host_whose_certificate_we_do_not_know_is_not_believed(
    repository: HostileRepository, into: Path, host: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_SSL_CAINFO")
    with pytest.raises(UnreachableError, match="certificate"):
        fetch(f"https://{host[0]}/good/entry", repository.commit_files(FILES), into, hosts=(host[0],))
    assert host[1] == []


def test_a_host_that_is_not_there_is_unreachable(into: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match="could not be fetched"):
            fetch(f"https://{address}/owner/entry", COMMIT, into, hosts=(address,))
    with pytest.raises(UnreachableError, match="could not be fetched"):
        fetch("https://host.invalid/owner/entry", COMMIT, into, hosts=("host.invalid",))


def test_a_machine_without_git_is_our_own_fault(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PrerequisiteError, match="install git"):
        fetch("https://github.com/owner/name", COMMIT, into)
