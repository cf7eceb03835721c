"""The sandbox's file system, as arguments for bubblewrap: read-only layers laid over each other in a fresh root.

A bind mount cannot hold a mount point that its source lacks. So a folder that must receive something below it, or that
two layers share, is not bound itself: it is made anew, and its children are bound one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = PurePosixPath("/")


@dataclass(frozen=True)
class Bind:
    """A file or folder of this machine at an absolute path of the sandbox."""

    source: Path
    target: PurePosixPath
    writable: bool = False


@dataclass(frozen=True)
class Link:
    target: PurePosixPath
    points_to: str


def lay_out(stage: str, layers: list[list[Bind]], extra: list[Bind], folders: Iterable[PurePosixPath]) -> list[str]:
    """Arguments that build the root at `stage`.

    Args:
        stage: folder of bubblewrap's own root; the layers appear below it.
        layers: the lower first. Their links are kept, so they must be ours.
        extra: mounts that are never taken apart, laid on top of all.
        folders: further folders that have to be there.
    """
    needed = {bind.target for bind in extra} | set(folders)
    pieces: list[Bind | Link] = []
    for height, layer in reversed(list(enumerate(layers))):
        lower = [bind for below in layers[:height] for bind in below]
        laid = [piece for bind in layer for piece in _take_apart(bind, needed, lower)]
        needed |= {piece.target for piece in laid}
        pieces = laid + pieces
    arguments: list[str] = []
    made = {ROOT}
    for piece in [*pieces, *extra]:
        arguments += _folders(stage, piece.target.parent, made) + _place(stage, piece)
    for folder in sorted(folders):
        arguments += _folders(stage, folder, made)
    return arguments


def _take_apart(bind: Bind, needed: set[PurePosixPath], lower: list[Bind]) -> Iterator[Bind | Link]:
    if bind.source.is_symlink():
        yield Link(bind.target, str(bind.source.readlink()))
    elif bind.source.is_dir() and (_is_above(bind.target, needed) or _is_folder_of(bind.target, lower)):
        for child in sorted(bind.source.iterdir()):
            yield from _take_apart(Bind(child, bind.target / child.name), needed, lower)
    elif bind.target not in needed:
        yield bind


def _is_above(folder: PurePosixPath, needed: set[PurePosixPath]) -> bool:
    return folder == ROOT or any(folder in target.parents for target in needed)


def _is_folder_of(target: PurePosixPath, binds: list[Bind]) -> bool:
    """Whether another layer has a folder there too, of its own or on the way to one of its binds."""
    return any(
        target in bind.target.parents
        or (target.is_relative_to(bind.target) and (bind.source / target.relative_to(bind.target)).is_dir())
        for bind in binds
    )


def _folders(stage: str, folder: PurePosixPath, made: set[PurePosixPath]) -> list[str]:
    """`--dir` for the folder and all above it; bubblewrap would make them for its own eyes only."""
    missing = [each for each in reversed([folder, *folder.parents]) if each not in made]
    made.update(missing)
    return [word for each in missing for word in ("--dir", f"{stage}{each}")]


def _place(stage: str, piece: Bind | Link) -> list[str]:
    if isinstance(piece, Link):
        return ["--symlink", piece.points_to, f"{stage}{piece.target}"]
    return ["--bind" if piece.writable else "--ro-bind", str(piece.source), f"{stage}{piece.target}"]
