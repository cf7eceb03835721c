"""Datasets by their address: `https://host/path.jsonl` or `s3://bucket/key.parquet`; a hub serves everything else.

The address is a customer's word. So: https to public machines only; S3 only in buckets that the settings name, for
the keys are ours; no more bytes and no more time than the settings allow. The revision is the file's SHA-256: another
file under the same address is refused, never used. Queries of addresses may hold signatures and are never shown.
"""

import ipaddress
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.challenge import Catalogue, ChallengeKind, DatasetInfo, DatasetType, ModelInfo
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from core.ports import ModelHub
from gateways.row_files import Rows, read_rows
from gateways.settings import ArtifactSettings, HubSettings

TIMEOUT_SECONDS = 30.0
"""Without a byte for so long, a host does not answer."""
MOST_REDIRECTS = 5
_CHUNK_BYTES = 1 << 20


def is_address(dataset_id: str) -> bool:
    return "://" in dataset_id


class AddressedDatasets:
    """Keeps `core.ports.ModelHub`: ids that are addresses are read there, all others are those of the hub behind."""

    def __init__(self, hub: ModelHub, settings: HubSettings, artifacts: ArtifactSettings) -> None:
        self._hub = hub
        self._settings = settings
        self._artifacts = artifacts

    def catalogue(self) -> Catalogue:
        return self._hub.catalogue()

    def fetch_model(self, model: ModelInfo, into: Path) -> Path:
        return self._hub.fetch_model(model, into)

    def rows(self, dataset_id: str, revision: str) -> list[dict[str, Any]]:
        """Raises IntegrityError for another revision, PrerequisiteError naming the row that is none."""
        if not is_address(dataset_id):
            return self._hub.rows(dataset_id, revision)
        return self._read(dataset_id, revision)[1]

    def pin(
        self, address: str, kind: ChallengeKind, columns: dict[str, str], dataset_type: DatasetType | None = None
    ) -> DatasetInfo:
        """The dataset at an address as it is now."""
        revision, rows = self._read(address, None)
        return DatasetInfo(
            dataset_id=address, revision=revision, kind=kind, rows=len(rows), columns=columns, dataset_type=dataset_type
        )

    def _read(self, address: str, revision: str | None) -> tuple[str, Rows]:
        name = shown(address)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            found = self._save(name, self._chunks(address), path)
            if revision not in (None, found):
                raise IntegrityError(
                    f"{name} is at revision {found}, not {revision}: put that one back, or pin it anew"
                )
            return found, read_rows(path, name)

    def _save(self, name: str, chunks: Iterable[bytes], path: Path) -> str:
        """Write the file within the bounds, and return its SHA-256."""
        limit, ends = self._settings.dataset_mib << 20, time.monotonic() + self._settings.dataset_seconds
        digest, size = sha256(), 0
        with path.open("wb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise PrerequisiteError(
                        f"{name} is larger than {limit >> 20} MiB (GOD_HUB__DATASET_MIB): take a part"
                    )
                if time.monotonic() > ends:
                    raise PrerequisiteError(
                        f"{name} took longer than {self._settings.dataset_seconds:g} s to come "
                        "(GOD_HUB__DATASET_SECONDS): put it on a faster host"
                    )
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()

    def _chunks(self, address: str) -> Iterator[bytes]:
        match urlsplit(address).scheme:
            case "s3":
                return self._from_s3(address)
            case "https" | "http":
                return self._from_web(address)
            case scheme:
                raise PrerequisiteError(f"{shown(address)}: {scheme}:// is not read; use https:// or s3://")

    def _from_s3(self, address: str) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError, ClientError

        from gateways.s3 import client

        bucket, key = urlsplit(address).netloc, address.split("://", 1)[1].partition("/")[2]
        if bucket not in self._settings.buckets or bucket == self._artifacts.bucket:
            raise PrerequisiteError(f"{address}: this bucket is not read from; name it in GOD_HUB__BUCKETS")
        try:
            yield from client(self._artifacts).get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(_CHUNK_BYTES)
        except ClientError as e:
            status = int(e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise _refusal(address, status) from e
        except BotoCoreError as e:
            raise UnreachableError(f"{address} cannot be read: the store does not answer ({e})") from e

    def _from_web(self, address: str) -> Iterator[bytes]:
        import httpx

        name = shown(address)
        headers = {"Accept-Encoding": "identity"}
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, headers=headers) as web, _answering(name):
            for _ in range(MOST_REDIRECTS + 1):
                self._check_host(address)
                with web.stream("GET", address) as answer:
                    if answer.next_request is None:
                        if answer.status_code != 200:
                            raise _refusal(name, answer.status_code)
                        yield from answer.iter_bytes()  # as they come: the clock is looked at with each
                        return
                    address = str(answer.next_request.url)
        raise PrerequisiteError(f"{name} leads on more than {MOST_REDIRECTS} times: give the last address")

    def _check_host(self, address: str) -> None:
        """Raises PrerequisiteError unless it is https to a public machine, or local where that is allowed."""
        parts = urlsplit(address)
        host, name = parts.hostname or "", shown(address)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            found = {ipaddress.ip_address(str(info[4][0])) for info in socket.getaddrinfo(host, port)}
        except (OSError, ValueError) as e:
            if isinstance(e, socket.gaierror) and e.errno == socket.EAI_AGAIN:
                raise UnreachableError(f"{name}: the name {host!r} cannot be looked up now") from e
            raise PrerequisiteError(f"{name}: there is no host {host!r} ({e}); correct the address") from e
        if self._settings.allow_local and all(ip.is_loopback for ip in found):
            return
        if parts.scheme != "https":
            raise PrerequisiteError(f"{name} is not encrypted: use https://")
        if not all(ip.is_global for ip in found):
            raise PrerequisiteError(f"{name} is on a machine that is not public: put it where everybody can read it")


def shown(address: str) -> str:
    """Without user, password and query, which may be secrets."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _refusal(name: str, status: int) -> PrerequisiteError | UnreachableError:
    if status >= 500 or status in (408, 429):
        return UnreachableError(f"{name} cannot be read now: it answers {status}")
    return PrerequisiteError(f"{name} cannot be read: it answers {status}; correct the address or the right to read it")


@contextmanager
def _answering(name: str) -> Iterator[None]:
    """Turn httpx's errors into ours."""
    import httpx

    try:
        yield
    except httpx.InvalidURL as e:
        raise PrerequisiteError(f"{name} is no address: {e}") from e
    except httpx.UnsupportedProtocol as e:
        raise PrerequisiteError(f"{name} leads to what is neither http nor https") from e
    except httpx.HTTPError as e:
        raise UnreachableError(f"{name} does not answer: {type(e).__name__}") from e
