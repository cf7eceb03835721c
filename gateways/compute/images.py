"""What stands in for an image where there is no container engine: a folder `image.json` + `rootfs/`."""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from docker.utils.build import exclude_paths
from pydantic import ValidationError

from core.compute import BuildFailure, Mount
from core.errors import Fault, PrerequisiteError
from core.value import Frozen
from gateways.compute.dockerfile import Copy, DockerfileError, Recipe, parse

REPOSITORY = Path(__file__).parents[2]
DESCRIPTION = "image.json"
MAX_DOCKERFILE_BYTES = 1 << 18
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",  # noqa: S108
)
"""Belongs to the sandbox: what a Dockerfile copies there is left out, and said so."""
OPEN = "/usr/local/bin"
"""… save for the place where scripts are commonly put."""


class Image(Frozen):
    """A stand-in image."""

    workdir: str
    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    """Arguments where the run names none."""
    notices: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    """Read-only folders of ours, only in our own images."""


OURS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS}
"""What an operating system says when it is not the miner's files."""


class ImageFolder:
    """Stand-in images, each below its quoted tag, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        target = self._path(tag)
        if (target / DESCRIPTION).exists():
            return str(target)
        try:
            with tempfile.TemporaryDirectory(dir=self._made(), prefix=".build-") as scratch:
                return self._keep(Path(scratch), target, _made_of(source, dockerfile, Path(scratch, "rootfs")))
        except OSError as e:
            if e.errno in OURS:
                raise
            return BuildFailure(reason=f"{dockerfile}: {e.strerror}", fault=Fault.MINER)
        except (DockerfileError, ValueError, RecursionError, re.error) as e:
            # All of what is read here is the miner's, so whatever it breaks is the miner's, too.
            return BuildFailure(reason=f"{dockerfile}: {str(e)[:300]}", fault=Fault.MINER)

    def trusted(self, name: str) -> str:
        """Our own images need no building: they mount our code as it is now."""
        if name != "evaluator-text":
            raise PrerequisiteError(f"there is no image {name!r} of ours; known: evaluator-text")
        rooms = [room for room in ("core", "evaluators") if (REPOSITORY / room / "__init__.py").exists()]
        if len(rooms) < 2:
            raise PrerequisiteError(f"the rooms core and evaluators are not below {REPOSITORY}: use a full checkout")
        image = Image(
            workdir="/tmp",  # noqa: S108
            environment={"PYTHONPATH": "/opt/god", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
            entrypoint=("python", "-m", "evaluators"),
            command=("/job",),
            mounts=tuple(Mount(source=str(REPOSITORY / room), target=f"/opt/god/{room}") for room in rooms),
        )
        with tempfile.TemporaryDirectory(dir=self._made(), prefix=".build-") as scratch:
            Path(scratch, "rootfs").mkdir()
            return self._keep(Path(scratch), self._path(f"trusted/{name}"), image)

    def load(self, image: str) -> Image:
        try:
            return Image.model_validate_json(Path(image, DESCRIPTION).read_bytes())
        except (OSError, ValidationError) as e:
            raise PrerequisiteError(f"{image} is no image that was built here: {e}") from e

    def _path(self, tag: str) -> Path:
        return self._folder / quote(tag, safe="").replace(".", "%2E")

    def _made(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder

    def _keep(self, scratch: Path, target: Path, image: Image) -> str:
        """Into place at once; whoever was first wins, save that our own images are described anew."""
        staged = scratch / "image"
        staged.mkdir()
        (scratch / "rootfs").rename(staged / "rootfs")
        (staged / DESCRIPTION).write_text(image.model_dump_json(indent=1))
        try:
            staged.rename(target)
        except OSError:
            (staged / DESCRIPTION).replace(target / DESCRIPTION)
        return str(target)


def _read(source: Path, dockerfile: str) -> str:
    path = source / dockerfile
    if not path.is_file() or not path.resolve().is_relative_to(source.resolve()):
        raise DockerfileError("there is no such file in the repository")
    if path.stat().st_size > MAX_DOCKERFILE_BYTES:
        raise DockerfileError(f"larger than {MAX_DOCKERFILE_BYTES} bytes")
    try:
        return path.read_text()
    except UnicodeDecodeError as e:
        raise DockerfileError("not UTF-8") from e


def _made_of(source: Path, dockerfile: str, rootfs: Path) -> Image:
    recipe = parse(_read(source, dockerfile))
    _fill(rootfs, source, recipe)
    return _describe(recipe)


def _describe(recipe: Recipe) -> Image:
    return Image(
        workdir=recipe.workdir,
        environment=recipe.environment,
        entrypoint=tuple(recipe.entrypoint),
        command=tuple(recipe.command),
        notices=tuple(recipe.notices),
    )


def _fill(rootfs: Path, source: Path, recipe: Recipe) -> None:
    """Carry out every COPY, then make the working folder. Links are left out: what they point to is not ours to say."""
    rootfs.mkdir()
    kept = _not_ignored(source)
    for copy in recipe.copies:
        for path, target in _placements(source, copy):
            files = [path] if path.is_file() else sorted(path.rglob("*"))
            placed = [
                (file, target / file.relative_to(path)) for file in files if file in kept and not file.is_symlink()
            ]
            allowed = [(file, to) for file, to in placed if not is_reserved(to)]
            if len(allowed) < len(placed):
                recipe.notices.append(f"COPY to {target}: left out, that place belongs to the sandbox")
            for file, to in allowed:
                _copy(file, rootfs / to.relative_to("/"))
    if not is_reserved(PurePosixPath(recipe.workdir)):
        (rootfs / recipe.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)


def is_reserved(path: PurePosixPath) -> bool:
    if path.is_relative_to(OPEN) and sys.base_prefix != "/usr/local":
        return False
    return any(path.is_relative_to(each) for each in (*SYSTEM, sys.prefix, sys.base_prefix))


def _placements(source: Path, copy: Copy) -> Iterator[tuple[Path, PurePosixPath]]:
    """What is copied, and the path it gets: a folder's content goes into the target, a file into or onto it."""
    target = PurePosixPath(copy.target)
    for pattern in copy.sources:
        relative = os.path.normpath("/" + pattern).lstrip("/") or "."
        found = [source] if relative == "." else sorted(source.glob(relative))
        if not found:
            raise DockerfileError(f"COPY {pattern}: there is no such file in the repository")
        for path in found:
            is_into = path.is_file() and (copy.target.endswith("/") or len(found) > 1)
            yield path, target / path.name if is_into else target


def _not_ignored(source: Path) -> set[Path]:
    ignore = source / ".dockerignore"
    patterns = ignore.read_text(errors="replace").splitlines() if ignore.is_file() else []
    wanted = [line.strip() for line in patterns if line.strip() and not line.strip().startswith("#")]
    return {source / path for path in exclude_paths(str(source), wanted)}


def _copy(file: Path, to: Path) -> None:
    try:
        if file.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        elif file.is_file():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
            to.chmod(0o755 if os.access(file, os.X_OK) else 0o644)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as e:
        raise DockerfileError(f"COPY puts a file where a folder is, or the other way round: {e.filename}") from e
