"""The miners' git repositories, made from the template. Equal content gives the same commit on every machine."""

import os
import shutil
import subprocess
from pathlib import Path

from core.tournament import EntryClaim, TournamentKind
from demo.miners import TEMPLATE, Miner

DATE = "2026-01-01T00:00:00+00:00"
IGNORED = shutil.ignore_patterns("__pycache__", ".git", "tests")
SETTINGS = ("init.defaultBranch=main", "core.autocrlf=false", "core.fileMode=true", "commit.gpgSign=false")


def enter(miner: Miner, folder: Path) -> EntryClaim:
    """The miner's claim on its repository, `<folder>/<name>`, which is made where it is missing or another one."""
    place, fresh = folder / miner.name, folder / f"{miner.name}.part"
    shutil.rmtree(fresh, ignore_errors=True)
    commit = _make(miner, fresh)
    if _head(place) == commit:
        shutil.rmtree(fresh)
    else:
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    return EntryClaim(kind=TournamentKind.TEXT, repository=place.resolve().as_uri(), commit=commit)


def _make(miner: Miner, folder: Path) -> str:
    shutil.copytree(TEMPLATE, folder, ignore=IGNORED, copy_function=shutil.copyfile)
    miner.edit(folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    _git(folder, "init", "--quiet", "--template=", author=miner.name)
    _git(folder, "add", "--all", author=miner.name)
    _git(folder, "commit", "--quiet", "--no-verify", f"--message=Trainer of {miner.name}", author=miner.name)
    return _git(folder, "rev-parse", "HEAD", author=miner.name)


def _head(folder: Path) -> str | None:
    """The commit of a whole repository; None where there is none, or a damaged one."""
    if not (folder / ".git").is_dir():
        return None
    try:
        _git(folder, "fsck", "--connectivity-only", "--no-dangling", author="demo")
        return _git(folder, "rev-parse", "HEAD", author="demo")
    except subprocess.CalledProcessError:
        return None


def _git(folder: Path, *arguments: str, author: str) -> str:
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _identity(author)}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", *settings, "-C", str(folder), *arguments]
    done = subprocess.run(command, env=ours | quiet | who, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _identity(author: str) -> tuple[tuple[str, str], ...]:
    return ("NAME", author), ("EMAIL", f"{author}@miners.invalid"), ("DATE", DATE)
