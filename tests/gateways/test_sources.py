"""Datasets by address: a web server on the loopback, and the S3 servers of the artifacts' tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.challenge import ChallengeKind
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from core.value import sha256_hex
from gateways import sources
from gateways.hub import FolderHub
from gateways.settings import ArtifactSettings, HubSettings
from gateways.sources import AddressedDatasets, shown
from tests.gateways.web_server import Answer, serving

ROWS = [{"question": "why?", "answer": "because"}, {"question": "who?", "answer": "me"}]
DATA = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
REVISION = sha256_hex(DATA)
COLUMNS = {"instruct": "question", "output": "answer"}


def addressed(artifacts: ArtifactSettings | None = None, **changes: Any) -> AddressedDatasets:
    settings = HubSettings(**{"allow_local": True} | changes)
    return AddressedDatasets(FolderHub(Path("nowhere")), settings, artifacts or ArtifactSettings())


def always(answer: Answer) -> Any:
    return lambda path, body: answer


def test_rows_come_from_the_web_at_their_revision() -> None:
    with serving(always(Answer(DATA))) as address:
        hub = addressed()
        assert hub.rows(f"{address}/a.jsonl?signature=secret", REVISION) == ROWS
        pinned = hub.pin(f"{address}/a.jsonl", ChallengeKind.INSTRUCT, COLUMNS)
        assert (pinned.revision, pinned.rows) == (REVISION, 2)
        with pytest.raises(IntegrityError, match=rf"/a.jsonl is at revision {REVISION}, not 11+: put that one back"):
            hub.rows(f"{address}/a.jsonl", "1" * 64)


def test_a_hub_serves_what_is_no_address(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/made.jsonl").write_bytes(DATA)
    card = {"kind": "InstructTextTask", "columns": COLUMNS}
    (tmp_path / "datasets/made.json").write_text(json.dumps(card))
    hub = AddressedDatasets(FolderHub(tmp_path), HubSettings(), ArtifactSettings())
    assert hub.rows("made", REVISION) == ROWS
    assert [dataset.dataset_id for dataset in hub.catalogue().datasets] == ["made"]


def test_redirects_are_followed_and_looked_at() -> None:
    def respond(path: str, body: bytes) -> Answer:
        where = {"/a.jsonl": "/b", "/out.jsonl": "http://10.0.0.1/x", "/file.jsonl": "file:///etc/passwd"}.get(path)
        if path == "/round.jsonl":
            where = path
        return Answer(status=302, headers={"Location": where}) if where else Answer(DATA)

    with serving(respond) as address:
        assert addressed().rows(f"{address}/a.jsonl", REVISION) == ROWS
        for name, said in (
            ("out", "http://10.0.0.1/x is not encrypted"),
            ("file", "neither http nor https|there is no host|not encrypted"),
            ("round", "leads on more than 5 times"),
        ):
            with pytest.raises(PrerequisiteError, match=said):
                addressed().rows(f"{address}/{name}.jsonl", REVISION)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/a.jsonl", "is not encrypted: use https"),
        ("https://127.0.0.1:1/a.jsonl", "is on a machine that is not public"),
        ("https://[::1]/a.jsonl", "is on a machine that is not public"),
        ("https://[::ffff:127.0.0.1]/a.jsonl", "is on a machine that is not public"),
        ("https://10.1.2.3/a.jsonl", "is on a machine that is not public"),
        ("https://169.254.169.254/latest/meta-data", "is on a machine that is not public"),
        ("https://2130706433/a.jsonl", "is on a machine that is not public"),
        ("https://0/a.jsonl", "is on a machine that is not public"),
        ("https:///a.jsonl", "there is no host|not public"),
        ("https://host:port/a.jsonl", "there is no host 'host'"),
        ("file:///etc/passwd", "file:// is not read; use https:// or s3://"),
        ("s3://somebodys/a.jsonl", "this bucket is not read from; name it in GOD_HUB__BUCKETS"),
    ],
)
def test_an_address_never_leads_into_our_own_house(address: str, said: str) -> None:
    with pytest.raises(PrerequisiteError, match=said):
        addressed(allow_local=False).rows(address, REVISION)


@pytest.mark.parametrize(
    ("status", "error"), [(404, PrerequisiteError), (403, PrerequisiteError), (503, UnreachableError)]
)
def test_a_host_that_refuses_is_named_without_the_addresss_secrets(status: int, error: type[Exception]) -> None:
    with serving(always(Answer(b"no", status))) as address:
        with pytest.raises(error, match=rf"/a.jsonl cannot be read.*answers {status}") as raised:
            addressed().rows(f"{address}/a.jsonl?signature=secret", REVISION)
        assert "secret" not in str(raised.value)


def test_a_host_that_is_away_may_come_back() -> None:
    with serving(always(Answer())) as address:
        pass
    with pytest.raises(UnreachableError, match=r"/a\.jsonl does not answer: ConnectError"):
        addressed().rows(f"{address}/a.jsonl", REVISION)


def test_bytes_and_seconds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(Answer(b"x" * ((1 << 20) + 1)))) as address:
        with pytest.raises(PrerequisiteError, match=r"larger than 1 MiB \(GOD_HUB__DATASET_MIB\)"):
            addressed(dataset_mib=1).rows(f"{address}/a.jsonl", REVISION)
        with pytest.raises(PrerequisiteError, match=r"took longer than 1e-09 s"):
            addressed(dataset_seconds=1e-9).rows(f"{address}/a.jsonl", REVISION)


def test_a_host_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", 0.1)
    with (
        serving(always(Answer(b"", headers={"Content-Length": "10"}))) as address,
        pytest.raises(UnreachableError, match="does not answer: ReadTimeout"),
    ):
        addressed().rows(f"{address}/a.jsonl", REVISION)


def test_s3_is_read_in_the_buckets_that_are_named(s3_settings: ArtifactSettings, s3_client: Any) -> None:
    s3_client.create_bucket(Bucket="customers")
    s3_client.put_object(Bucket="customers", Key="folder/rows.jsonl", Body=DATA)
    hub = addressed(s3_settings, buckets=("customers", "none-such", s3_settings.bucket))
    assert hub.rows("s3://customers/folder/rows.jsonl", REVISION) == ROWS
    with pytest.raises(PrerequisiteError, match=r"s3://customers/none\.jsonl cannot be read: it answers 404"):
        hub.rows("s3://customers/none.jsonl", REVISION)
    with pytest.raises(PrerequisiteError, match="this bucket is not read from"):
        hub.rows(f"s3://{s3_settings.bucket}/datasets/hidden.jsonl", REVISION)


def test_what_is_shown_of_an_address_is_no_secret() -> None:
    assert shown("https://user:word@host:8/a/b.jsonl?signature=x#y") == "https://host:8/a/b.jsonl"
