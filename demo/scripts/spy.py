"""A miner that looks for everything that it must not have, says what it found, and hands nothing in.

Each attempt prints one line: `held: …` where the sandbox held, `escape: …` with what was reached. `spy: done` at the
end says that every attempt was made. It covers files, environment, processes, network, capabilities and other miners'
output. It does not try to break the kernel, to guess through timing, or to exhaust memory or disk.
"""

import argparse
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

SECRETS = ("/etc/shadow", "/var/run/docker.sock", "/run/docker.sock", "/proc/1/root/root", "/dev/mem", "/dev/kmsg")
HOMES = ("/root", "/home", "/srv", "/mnt", "/media")
SKELETON = {".bashrc", ".profile", ".bash_logout"}
"""Of an image's own users."""
PYTHON = {Path(place) for place in (sys.prefix, sys.base_prefix, *sys.path[1:]) if place.startswith("/")}
"""The interpreter and its packages are given to everybody, wherever the host keeps them."""
TELLING = {"GOD", "AWS", "PREFECT", "DSN", "SECRET", "TOKEN", "PASSWORD", "CREDENTIALS", "KEY"}
GIVEN = {"GOD_SEED"}
"""What the contract gives to everybody."""
TARGETS = ("test.json", "_test_data.json", "services.env", "postmaster.pid", "prefect.db", "summary.json")
NOT_SEARCHED = {"proc", "sys", "dev", "usr"}


def _readable(name: str) -> bool:
    path = Path(name)
    try:
        if path.is_dir():
            return any(path.iterdir())
        with path.open("rb", buffering=0) as file:
            return bool(file.read(1))
    except OSError:
        return False


def _strangers(folder: Path) -> Iterator[str]:
    """What lies in a folder and does not belong to Python."""
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return
    for child in children:
        if any(child in place.parents for place in PYTHON) and child not in PYTHON:
            yield from _strangers(child)
        elif child not in PYTHON and child.name not in SKELETON:
            yield str(child)


def host_files(_: Path) -> Iterator[str]:
    """What the host keeps to itself."""
    yield from filter(_readable, SECRETS)
    for home in HOMES:
        yield from (name for name in _strangers(Path(home)) if _readable(name))


def hidden_files(_: Path) -> Iterator[str]:
    """The test set and our services' secrets, wherever they may lie."""
    for folder, folders, names in os.walk("/"):
        if folder == "/":
            folders[:] = set(folders) - NOT_SEARCHED
        folders[:] = [name for name in folders if Path(folder, name) not in PYTHON]
        yield from (f"{folder}/{name}" for name in names if name.endswith(TARGETS))


def environment(_: Path) -> Iterator[str]:
    given = os.environ.keys() - GIVEN
    yield from sorted(name for name in given if TELLING.intersection(name.upper().split("_")))


def processes(_: Path) -> Iterator[str]:
    """Processes that are neither this one nor its ancestors in this sandbox."""
    ours, pid = {1}, os.getpid()
    while pid > 1:
        ours.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    for number in sorted({int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()} - ours):
        command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        yield f"process {number} {command[:60]!r}"


def network(_: Path) -> Iterator[str]:
    """Interfaces other than loopback, and anything that listens on any port of loopback."""
    interfaces = {line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    yield from (f"interface {name}" for name in sorted(interfaces - {"lo"}) if _has_address(name))
    for port in range(1, 65536):
        with socket.socket() as door:
            door.settimeout(0.2)
            if door.connect_ex(("127.0.0.1", port)) == 0 and door.getsockname() != ("127.0.0.1", port):
                yield f"127.0.0.1:{port}"


def _has_address(interface: str) -> bool:
    """Tunnels of the kernel stand in every namespace, down and without an address."""
    return any(line.split()[0] == interface for line in Path("/proc/net/route").read_text().splitlines()[1:])


def other_miners(output: Path) -> Iterator[str]:
    """What lies beside the own output folder."""
    root = Path("/app/checkpoints")
    inside = (path for path in root.rglob("*") if path != output and path not in output.parents)
    yield from (str(path) for path in inside if output not in path.parents)


def inputs_writable(_: Path) -> Iterator[str]:
    """Places that others read as well."""
    for folder in ("/cache", "/cache/models", "/cache/datasets", "/app", "/usr", "/etc"):
        mark = Path(folder, "spy-was-here")
        try:
            mark.write_text("spy")
        except OSError:
            continue
        mark.unlink()
        yield folder


def privileges(_: Path) -> Iterator[str]:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    yield from (f"{name} {status[name]}" for name in ("CapEff", "CapPrm", "CapBnd") if int(status[name], 16))
    if status["NoNewPrivs"].strip() != "1":
        yield "new privileges by set-uid programs"
    try:
        os.kill(os.getppid(), 0 if os.getppid() == 0 else signal.SIGCONT)
        os.setuid(0)
        yield "root's user id"
    except OSError as refusal:
        assert refusal.errno in (errno.EPERM, errno.EINVAL), refusal


ATTEMPTS: tuple[Callable[[Path], Iterator[str]], ...] = (
    host_files,
    hidden_files,
    environment,
    processes,
    network,
    other_miners,
    inputs_writable,
    privileges,
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--task-id", required=True)
    parser.add_argument("--expected-repo-name", required=True)
    told, _ = parser.parse_known_args()
    output = Path("/app/checkpoints", told.task_id, told.expected_repo_name)
    for attempt in ATTEMPTS:
        found = list(attempt(output))
        for what in found[:20]:
            print(f"escape: {attempt.__name__}: {what}", flush=True)
        if not found:
            print(f"held: {attempt.__name__}", flush=True)
    print("spy: done", flush=True)


if __name__ == "__main__":
    main()
