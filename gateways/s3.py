"""Artifacts in S3 through boto3, on the subset that AWS, Ceph, rclone and moto agree on.

No conditional writes, no ranges, no listings, no server-side checksums: keys contain the sha256 of what they hold, so
a write may be repeated by anyone, and every read is verified here. The store is not trusted.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from boto3.s3.transfer import TransferConfig
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from pydantic import ValidationError

from core.artifacts import ArtifactKind, ArtifactRef, Manifest, TreeFile
from core.errors import IntegrityError, PrerequisiteError, UnreachableError
from core.value import canonical_json, sha256_hex
from gateways.settings import ArtifactSettings
from gateways.trees import Snapshot, publish, regular_files, snapshot

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Item = TypeVar("Item")

PARALLEL = 8
"""Files of a tree in flight."""
PART_BYTES = 16 << 20
"""Larger files are sent in parts of this size."""
CHUNK_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 64 << 20
"""Some 300,000 files; its size is not in the reference, so it needs a bound of its own."""
_PARTS = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)
_OVERLOADED = {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestTimeTooSkewed", "429", "408"}


class S3Artifacts:
    """Keeps `core.ports.Artifacts`. Safe to share between threads; any number of processes may use one bucket."""

    def __init__(self, settings: ArtifactSettings) -> None:
        self._bucket = settings.bucket
        self._region = settings.region
        self._where = f"bucket {settings.bucket!r} at {settings.endpoint or 'AWS'}"
        self._s3 = client(settings)

    def ensure_bucket(self) -> None:
        """Make the bucket unless it is there. For set-up; nothing else creates one."""
        with self._named("make"):
            if self._size_of(None) is None:
                self._create_bucket()

    def put_bytes(self, kind: ArtifactKind, data: bytes) -> ArtifactRef:
        ref = ArtifactRef(kind=kind, sha256=sha256_hex(data), size_bytes=len(data))
        self._put_bytes(ref.key, data)
        return ref

    def put_file(self, kind: ArtifactKind, path: Path) -> ArtifactRef:
        """Raises ValueError for a link or special file, and when the file changes meanwhile."""
        before = snapshot(path)
        ref = ArtifactRef(kind=kind, sha256=before.sha256, size_bytes=before.size_bytes)
        self._put_file(ref.key, before)
        return ref

    def put_tree(self, kind: ArtifactKind, root: Path) -> ArtifactRef:
        """Store every regular file below `root`, manifest last; a tree that is there is left alone.

        Empty folders are not kept. Raises ValueError for links, special files, names that are no `RelativePath`, a
        manifest of more than `MAX_MANIFEST_BYTES`, and files that change meanwhile.
        """
        files = {path: snapshot(root / path) for path in regular_files(root)}
        manifest = Manifest(files=tuple(_tree_file(path, file) for path, file in sorted(files.items())))
        text, ref = canonical_json(manifest), manifest.ref(kind)
        if len(text) > MAX_MANIFEST_BYTES:
            raise ValueError(f"{root} has too many files ({len(files)}) to be stored as one tree")
        if not self.exists(ref):
            contents = {file.sha256: file for file in files.values()}.values()
            _each(lambda file: self._put_file(_file_key(ref, file.sha256), file), contents)
            self._put_bytes(ref.key, text)
        return ref

    def get_bytes(self, ref: ArtifactRef) -> bytes:
        """Raises ValueError for a tree, which is fetched to a folder."""
        if ref.is_tree:
            raise ValueError(f"{ref.key} is a tree; fetch it")
        return b"".join(self._verified(ref.key, ref.sha256, ref.size_bytes))

    def fetch(self, ref: ArtifactRef, into: Path) -> Path:
        """Bring it to `into/<sha256>`: read-only, whole or not at all. Any number of processes may do so at once."""
        fill = self._fill_tree if ref.is_tree else self._fill_file
        return publish(into, ref.sha256, lambda target: fill(ref, target))

    def exists(self, ref: ArtifactRef) -> bool:
        """The file in its full size, or the tree's manifest, is in the store."""
        size = self._size_of(ref.key)
        return size is not None and (ref.is_tree or size == ref.size_bytes)

    # Writing

    def _put_bytes(self, key: str, data: bytes) -> None:
        if self._size_of(key) == len(data):
            return
        with self._named(f"store {key}"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=data)

    def _put_file(self, key: str, file: Snapshot) -> None:
        if self._size_of(key) == file.size_bytes:
            return
        with self._named(f"store {key}"), file.path.open("rb") as stream:
            if file.size_bytes <= PART_BYTES:
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=stream)
            else:
                self._s3.upload_fileobj(stream, self._bucket, key, Config=_PARTS)
        if file.has_changed():
            self._withdraw(key)
            raise ValueError(f"{file.path} changed while it was stored; store it again when nobody writes to it")

    def _withdraw(self, key: str) -> None:
        with self._named(f"delete {key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _create_bucket(self) -> None:
        try:
            if self._region == "us-east-1":
                self._s3.create_bucket(Bucket=self._bucket)
            else:
                where: Any = {"LocationConstraint": self._region}
                self._s3.create_bucket(Bucket=self._bucket, CreateBucketConfiguration=where)
        except (self._s3.exceptions.BucketAlreadyOwnedByYou, self._s3.exceptions.BucketAlreadyExists):
            # Somebody was quicker; if it was not one of us, this is refused.
            self._s3.head_bucket(Bucket=self._bucket)

    # Reading

    def _size_of(self, key: str | None) -> int | None:
        """Bytes of an object, 0 for the bucket itself (key None); None where there is nothing."""
        with self._named(f"look for {key or 'it'}"):
            try:
                if key is None:
                    self._s3.head_bucket(Bucket=self._bucket)
                    return 0
                return self._s3.head_object(Bucket=self._bucket, Key=key)["ContentLength"]
            except ClientError as e:
                if _status(e) == 404:
                    return None
                raise

    def _fill_file(self, ref: ArtifactRef, target: Path) -> None:
        self._download(ref.key, TreeFile(path=target.name, sha256=ref.sha256, size_bytes=ref.size_bytes), target)

    def _fill_tree(self, ref: ArtifactRef, target: Path) -> None:
        target.mkdir()
        files = self._manifest(ref).files
        for file in files:
            (target / file.path).parent.mkdir(parents=True, exist_ok=True)
        _each(lambda file: self._download(_file_key(ref, file.sha256), file, target / file.path), files)

    def _manifest(self, ref: ArtifactRef) -> Manifest:
        text = b"".join(self._verified(ref.key, ref.sha256, None))
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as e:
            raise IntegrityError(f"{ref.key} is not a tree's manifest: {e.errors()[0]['msg']}") from e
        paths = [file.path for file in manifest.files]
        folders = {parent for path in paths for parent in _parents(path)}
        if len({*paths}) < len(paths) or folders & {*paths}:
            raise IntegrityError(f"{ref.key} names one path twice, or both as a file and as a folder")
        if manifest.ref(ref.kind) != ref:
            raise IntegrityError(f"{ref.key} does not describe the tree that the reference promises: {ref}")
        return manifest

    def _download(self, key: str, file: TreeFile, target: Path) -> None:
        with target.open("xb") as out:
            for chunk in self._verified(key, file.sha256, file.size_bytes):
                out.write(chunk)
        target.chmod(0o555 if file.executable else 0o444)

    def _verified(self, key: str, promised: str, size_bytes: int | None) -> Iterator[bytes]:
        """The object's bytes as they arrive. Whoever reads to the end has read what was promised."""
        limit = MAX_MANIFEST_BYTES if size_bytes is None else size_bytes
        found, received = sha256(), 0
        for chunk in self._stream(key):
            received += len(chunk)
            if received > limit:
                raise IntegrityError(f"{key} holds more than the {limit} bytes that were promised under {promised}")
            found.update(chunk)
            yield chunk
        if found.hexdigest() != promised:
            raise IntegrityError(f"{key} holds {received} bytes of sha256 {found.hexdigest()}, not {promised}")

    def _stream(self, key: str) -> Iterator[bytes]:
        with self._named(f"read {key}"):
            try:
                body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            except self._s3.exceptions.NoSuchKey as e:
                raise IntegrityError(f"{key} is not in {self._where}, although it was promised") from e
            with body:
                yield from body.iter_chunks(CHUNK_BYTES)

    @contextmanager
    def _named(self, deed: str) -> Iterator[None]:
        """Turn boto3's errors into ours."""
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as e:
            raise PrerequisiteError(f"no keys for {self._where}: {_KEYS}") from e
        except BotoCoreError as e:
            raise UnreachableError(f"could not {deed}: {self._where} does not answer ({e})") from e
        except ClientError as e:
            self._refused(deed, e)

    def _refused(self, deed: str, error: ClientError) -> NoReturn:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if _status(error) >= 500 or code in _OVERLOADED:
            raise UnreachableError(f"could not {deed}: {self._where} is in trouble ({error})") from error
        if code == "NoSuchBucket":
            raise PrerequisiteError(f"{self._where} does not exist: {_BUCKET}") from error
        if _status(error) in (401, 403) or code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"):
            raise PrerequisiteError(f"{self._where} does not take our keys ({code}): {_KEYS}") from error
        raise PrerequisiteError(f"could not {deed}: {self._where} refused ({error})") from error


_KEYS = "set GOD_ARTIFACTS__ACCESS_KEY and GOD_ARTIFACTS__SECRET_KEY"
_BUCKET = "run `god up`, or create it, or set GOD_ARTIFACTS__BUCKET"


def client(settings: ArtifactSettings) -> "S3Client":
    secret = settings.secret_key.get_secret_value()
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=PARALLEL * 4,
        # A custom endpoint has one host name; not every server knows the newer checksums.
        s3={"addressing_style": "path" if settings.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return Session().client(
        "s3",
        endpoint_url=settings.endpoint or None,
        region_name=settings.region,
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=secret or None,
        config=config,
    )


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _file_key(tree: ArtifactRef, sha256: str) -> str:
    return f"{tree.prefix}/files/{sha256}"


def _tree_file(path: str, file: Snapshot) -> TreeFile:
    return TreeFile(path=path, sha256=file.sha256, size_bytes=file.size_bytes, executable=file.executable)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _each(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do it for all, several at once; the first error ends it."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
