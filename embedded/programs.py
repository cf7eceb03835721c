"""The programs that supervisord keeps running: command, environment, and how each is asked whether it is well."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from embedded import postgres
from embedded.addresses import DSN, Addresses, Server
from embedded.state import MARK, REPOSITORY, State

POOLS = ("control", "gpu-jobs")
WORKER_PREFIX = "worker-"


@dataclass(frozen=True)
class Program:
    """One entry of supervisord's configuration."""

    name: str
    command: tuple[str, ...]
    death_signal: str
    """Sent by the kernel when supervisord dies, so that no server outlives it and holds a port or a folder."""
    stop_signal: str = "TERM"
    stop_group: bool = True
    stop_seconds: int = 10
    start_seconds: int = 1
    """It has started when it lives for this long."""

    def argv(self) -> list[str]:
        return ["setpriv", "--pdeathsig", self.death_signal, "--", *self.command]


def programs(state: State, addresses: Addresses) -> list[Program]:
    """Those that run here: our own servers, and always the workers."""
    makers = {Server.POSTGRES: _postgres, Server.S3: _s3, Server.PREFECT: _prefect}
    servers = [make(state, addresses) for server, make in makers.items() if server in addresses.embedded]
    return [*servers, *(_worker(pool) for pool in POOLS)]


def environment(state: State, addresses: Addresses) -> dict[str, str]:
    """What supervisord and everything below it is started with."""
    binaries = str(Path(sys.executable).parent)
    prefect = {
        "PREFECT_HOME": str(state.prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT3M",
        # SQLite takes one writer at a time, and by default each state of each task is a transaction of its own.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "2",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
        "PREFECT_WORKER_QUERY_SECONDS": "0.5",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "gateways,tournament",
        "PREFECT_CLI_COLORS": "false",
    }
    if {Server.POSTGRES, Server.PREFECT} <= addresses.embedded and postgres.installation(state).serves_prefect:
        prefect["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = postgres.prefect_url(addresses.environment[DSN])
    rclone = {"RCLONE_AUTH_KEY": f'"{addresses.kept.access_key},{addresses.kept.secret_key}"'}
    ours = {MARK: str(state.folder), "GOD_STATE": str(state.folder), "PATH": f"{binaries}:{os.environ['PATH']}"}
    return {**os.environ, **prefect, **rclone, **addresses.environment, **ours}


def _postgres(state: State, addresses: Addresses) -> Program:
    command = postgres.command(state, addresses.port(Server.POSTGRES))
    return Program("postgres", tuple(command), death_signal="INT", stop_signal="INT", stop_group=False)


def _s3(state: State, addresses: Addresses) -> Program:
    rclone = Path(sys.executable).with_name("rclone")
    address = f"127.0.0.1:{addresses.port(Server.S3)}"
    command = (str(rclone), "serve", "s3", str(state.s3), "--addr", address, "--config", os.devnull)
    return Program("s3", command, death_signal="TERM")


def _prefect(_: State, addresses: Addresses) -> Program:
    port = str(addresses.port(Server.PREFECT))
    command = (sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port)
    return Program("prefect", command, death_signal="KILL", start_seconds=5)


def _worker(pool: str) -> Program:
    command = (sys.executable, "-m", "embedded.worker", pool)
    return Program(
        f"{WORKER_PREFIX}{pool}", command, death_signal="KILL", stop_group=False, stop_seconds=5, start_seconds=3
    )


def log_of(state: State, name: str) -> Path:
    return state.logs / f"{name}.log"


def working_folder() -> Path:
    """Entry points of deployments are relative to it."""
    return REPOSITORY
