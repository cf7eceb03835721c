"""Artifacts: immutable bytes under keys that contain their SHA-256.

    <kind>/<sha256>                             a single file
    <kind>/<tree sha256>/files/<file sha256>    the files of a tree, written first; their paths are in the manifest
    <kind>/<tree sha256>/manifest.json          written last: its presence means the tree is whole

The tree's sha256 is that of its manifest's canonical JSON, so a reference to a manifest fixes every byte below it.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from core.value import Frozen, Sha256, canonical_json, sha256_hex


def _inside(path: str) -> str:
    if not path or path.startswith("/") or set(path) & {"\\", "\0"} or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"{path!r} is not a path inside a tree")
    return path


RelativePath = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_inside)]
"""A path inside a tree: no leading slash, no empty, `.` or `..` part, no backslash, no NUL."""
MANIFEST = "manifest.json"


class ArtifactKind(StrEnum):
    DATASET = "datasets"
    MODEL = "models"
    SOURCE = "sources"
    CHECKPOINT = "checkpoints"
    LOG = "logs"
    REPORT = "reports"
    EVIDENCE = "evidence"
    TRIAL = "trials"


class ArtifactRef(Frozen):
    """A promise: these bytes, and no others, are in the store."""

    kind: ArtifactKind
    sha256: Sha256
    """Of the file, or of the tree's manifest."""
    size_bytes: Annotated[int, Field(ge=0)]
    """Of the file, or of all files of the tree together."""
    is_tree: bool = False

    @property
    def key(self) -> str:
        """The object's key in the bucket (a tree's manifest)."""
        return f"{self.prefix}/{MANIFEST}" if self.is_tree else self.prefix

    @property
    def prefix(self) -> str:
        return f"{self.kind}/{self.sha256}"


class TreeFile(Frozen):
    path: RelativePath
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]
    executable: bool = False


class Manifest(Frozen):
    """Every file of a tree, sorted by path."""

    files: tuple[TreeFile, ...]

    def ref(self, kind: ArtifactKind) -> ArtifactRef:
        size = sum(file.size_bytes for file in self.files)
        return ArtifactRef(kind=kind, sha256=sha256_hex(canonical_json(self)), size_bytes=size, is_tree=True)
