"""`make setup` on a copy of the project: from nothing, after an interruption, and where something is missing."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
TOOLS = (
    "bash",
    "cat",
    "cut",
    "dirname",
    "flock",
    "git",
    "grep",
    "make",
    "mkdir",
    "sha256sum",
    "rm",
    "tail",
    "touch",
    "bwrap",
    "df",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tracked files of the project, as they are in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = tmp_path / "project" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target)
    return tmp_path / "project"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with nothing but what the set-up's own lines use."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (folder / tool).symlink_to(found)
    return folder


def setup(project: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": str(path)} if path else dict(os.environ)
    command = ["make", "--no-print-directory", "setup"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def program(folder: Path, name: str, *lines: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text("\n".join(["#!/bin/bash", *lines, ""]))
    (folder / name).chmod(0o755)


def test_interrupted_at_any_point_it_is_done_by_the_next_and_then_takes_no_time(copy: Path) -> None:
    for seconds in (0.5, 4.0):
        interrupted = subprocess.Popen(["make", "setup"], cwd=copy, start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        os.killpg(interrupted.pid, signal.SIGKILL)
        interrupted.wait()
    done = setup(copy)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([copy / ".venv/bin/god", "--help"], cwd=copy, capture_output=True).returncode == 0
    began = time.monotonic()
    again = setup(copy)
    assert (again.returncode, again.stderr) == (0, "")
    assert time.monotonic() - began < 1


def test_without_python_it_says_what_to_install(copy: Path, bare_path: Path) -> None:
    said = setup(copy, bare_path)
    assert said.returncode == 2
    assert "Python 3.11 is missing" in said.stderr


def test_without_room_it_says_how_much_is_needed(copy: Path, bare_path: Path) -> None:
    program(bare_path, "df", "echo Avail; echo 1048576")
    said = setup(copy, bare_path)
    assert said.returncode == 2
    assert "1024 MiB are free here and 4 GiB are needed" in said.stderr


def test_a_missing_debian_package_is_installed_as_root_and_asked_for_otherwise(copy: Path, bare_path: Path) -> None:
    (bare_path / "bwrap").unlink()
    program(bare_path, "apt-get", 'echo "$*" >>asked')
    said = setup(copy, bare_path)
    if os.geteuid() == 0:
        assert (copy / "asked").read_text() == "install --yes --no-install-recommends bubblewrap\n"
    else:
        assert "run `sudo apt-get install --yes --no-install-recommends bubblewrap`" in said.stderr
        assert said.returncode == 2


def test_the_locks_hold_no_address() -> None:
    for lock in (REPOSITORY / "locks").glob("*.txt"):
        assert "://" not in lock.read_text()
