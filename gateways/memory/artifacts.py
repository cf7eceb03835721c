"""Artifacts in memory, under the keys that a bucket would have."""

from pathlib import Path

from core.artifacts import ArtifactKind, ArtifactRef, Manifest, TreeFile
from core.errors import IntegrityError
from core.value import canonical_json, sha256_hex
from gateways.trees import publish, regular_files, snapshot


class MemoryArtifacts:
    """`objects` is the bucket: key → bytes. A test may spoil it; reads then raise IntegrityError."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_bytes(self, kind: ArtifactKind, data: bytes) -> ArtifactRef:
        ref = ArtifactRef(kind=kind, sha256=sha256_hex(data), size_bytes=len(data))
        self.objects.setdefault(ref.key, data)
        return ref

    def put_file(self, kind: ArtifactKind, path: Path) -> ArtifactRef:
        snapshot(path)
        return self.put_bytes(kind, path.read_bytes())

    def put_tree(self, kind: ArtifactKind, root: Path) -> ArtifactRef:
        files = [_tree_file(root, path) for path in sorted(regular_files(root))]
        manifest = Manifest(files=tuple(files))
        ref = manifest.ref(kind)
        for file in files:
            self.objects.setdefault(_file_key(ref, file), (root / file.path).read_bytes())
        self.objects.setdefault(ref.key, canonical_json(manifest))
        return ref

    def get_bytes(self, ref: ArtifactRef) -> bytes:
        if ref.is_tree:
            raise ValueError(f"{ref.key} is a tree; fetch it")
        return self._verified(ref.key, ref.sha256)

    def fetch(self, ref: ArtifactRef, into: Path) -> Path:
        fill = self._fill_tree if ref.is_tree else self._fill_file
        return publish(into, ref.sha256, lambda target: fill(ref, target))

    def exists(self, ref: ArtifactRef) -> bool:
        there = self.objects.get(ref.key)
        return there is not None and (ref.is_tree or len(there) == ref.size_bytes)

    def _verified(self, key: str, sha256: str) -> bytes:
        data = self.objects.get(key)
        if data is None:
            raise IntegrityError(f"{key} is not in memory, although it was promised")
        if sha256_hex(data) != sha256:
            raise IntegrityError(f"{key} holds {len(data)} bytes that are not those of {sha256}")
        return data

    def _fill_file(self, ref: ArtifactRef, target: Path) -> None:
        target.write_bytes(self.get_bytes(ref))
        target.chmod(0o444)

    def _fill_tree(self, ref: ArtifactRef, target: Path) -> None:
        target.mkdir()
        manifest = Manifest.model_validate_json(self._verified(ref.key, ref.sha256))
        for file in manifest.files:
            path = target / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._verified(_file_key(ref, file), file.sha256))
            path.chmod(0o555 if file.executable else 0o444)


def _file_key(tree: ArtifactRef, file: TreeFile) -> str:
    return f"{tree.prefix}/files/{file.sha256}"


def _tree_file(root: Path, path: str) -> TreeFile:
    file = snapshot(root / path)
    return TreeFile(path=path, sha256=file.sha256, size_bytes=file.size_bytes, executable=file.executable)
