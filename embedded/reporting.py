"""`god status`: one row a service."""

import time
from typing import NamedTuple

from embedded.addresses import DSN, PREFECT_API, S3_ENDPOINT, Addresses, Server, recorded
from embedded.health import is_well
from embedded.processes import memory_bytes
from embedded.programs import POOLS, WORKER_PREFIX, log_of
from embedded.state import State
from embedded.supervisor import ProcessInfo, Supervisor


class ServiceReport(NamedTuple):
    name: str
    state: str
    """`healthy`, `unhealthy` (runs, does not answer), `given` and `unreachable` (not ours), or supervisord's word."""
    is_well: bool
    pid: int | None
    memory_mib: int | None
    address: str
    uptime_seconds: int | None
    log: str


def status(state: State) -> list[ServiceReport]:
    """Every service, asked now; empty when there never was a `god up` here."""
    addresses = recorded(state)
    if addresses is None:
        return []
    here = Supervisor(state).processes()
    names = [*Server, *(WORKER_PREFIX + pool for pool in POOLS)]
    return [_report(state, addresses, name, here.get(name)) for name in names]


def address_of(name: str, environment: dict[str, str]) -> str:
    """Where a service is, without its password."""
    match name:
        case Server.POSTGRES:
            return environment.get(DSN, "").rpartition("@")[2] or environment.get(DSN, "")
        case Server.S3:
            return environment.get(S3_ENDPOINT, "")
        case Server.PREFECT:
            return environment.get(PREFECT_API, "").removesuffix("/api")
        case _:
            return f"pool {name.removeprefix(WORKER_PREFIX)}"


def _report(state: State, addresses: Addresses, name: str, process: ProcessInfo | None) -> ServiceReport:
    ours = name not in list(Server) or Server(name) in addresses.embedded
    runs = process is not None and process.pid > 0
    well = (runs or not ours) and is_well(name, addresses.environment, since=process.started if process else 0)
    return ServiceReport(
        name=name,
        state=_word(process, ours, runs, well),
        is_well=well,
        pid=process.pid if runs and process else None,
        memory_mib=memory_bytes(process.pid) >> 20 if runs and process else None,
        address=address_of(name, addresses.environment),
        uptime_seconds=int(time.time()) - process.started if runs and process else None,
        log=str(log_of(state, name)) if ours else "",
    )


def _word(process: ProcessInfo | None, ours: bool, runs: bool, well: bool) -> str:
    if not ours:
        return "given" if well else "unreachable"
    if runs:
        return "healthy" if well else "unhealthy"
    return process.state.lower() if process else "stopped"
