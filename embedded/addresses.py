"""Which services are ours to start and where all of them are.

A service whose setting stands in the environment is somebody else's and is used as given. The ports and keys of our
own are chosen at the first `god up` and kept; all addresses in force go to `<state>/services.env`.
"""

import os
import secrets
import socket
from collections.abc import Callable, Mapping, MutableMapping
from enum import StrEnum

from dotenv import dotenv_values

from core.errors import PrerequisiteError
from core.value import Frozen
from embedded.state import State, write_atomically

DSN = "GOD_DATABASE__DSN"
S3_ENDPOINT = "GOD_ARTIFACTS__ENDPOINT"
S3_ACCESS_KEY = "GOD_ARTIFACTS__ACCESS_KEY"
S3_SECRET_KEY = "GOD_ARTIFACTS__SECRET_KEY"  # noqa: S105
PREFECT_API = "PREFECT_API_URL"
KEPT = "embedded.json"


class Server(StrEnum):
    POSTGRES = "postgres"
    S3 = "s3"
    PREFECT = "prefect"


SETTING = {Server.POSTGRES: DSN, Server.S3: S3_ENDPOINT, Server.PREFECT: PREFECT_API}


class Kept(Frozen):
    """Ports and keys of the embedded servers."""

    ports: dict[Server, int]
    database_password: str
    access_key: str
    secret_key: str

    def environment(self, server: Server) -> dict[str, str]:
        """The settings that lead to this server."""
        port = self.ports[server]
        match server:
            case Server.POSTGRES:
                return {DSN: f"postgresql://god:{self.database_password}@127.0.0.1:{port}/god"}
            case Server.S3:
                endpoint = f"http://127.0.0.1:{port}"
                return {S3_ENDPOINT: endpoint, S3_ACCESS_KEY: self.access_key, S3_SECRET_KEY: self.secret_key}
            case Server.PREFECT:
                return {PREFECT_API: f"http://127.0.0.1:{port}/api"}


class Addresses(Frozen):
    """What one `god up` works with."""

    kept: Kept
    embedded: frozenset[Server]
    """Servers that are ours to run."""
    environment: dict[str, str]
    """The settings of all three, ours and given ones."""

    def port(self, server: Server) -> int:
        return self.kept.ports[server]


def settle(
    state: State, environment: Mapping[str, str], running: frozenset[Server], tell: Callable[[str], None]
) -> Addresses:
    """Decide on every address and write `services.env`.

    `running` names servers of ours that hold their port now. A kept port that a stranger has taken is changed.
    """
    kept = _load(state)
    ours = frozenset(server for server in Server if _is_ours(server, kept, environment))
    ports = {s: _free_port(s, kept.ports[s], tell) if s in ours - running else kept.ports[s] for s in Server}
    kept = kept.model_copy(update={"ports": ports})
    write_atomically(state.run / KEPT, kept.model_dump_json(indent=2))
    effective: dict[str, str] = {}
    for server in Server:
        wanted = kept.environment(server)
        effective |= wanted if server in ours else {key: environment[key] for key in wanted if key in environment}
    write_atomically(state.services_env, _as_env_file(effective))
    return Addresses(kept=kept, embedded=ours, environment=effective)


def recorded(state: State) -> Addresses | None:
    """What the last `god up` settled on; None when there was none."""
    if not (state.run / KEPT).exists() or not state.services_env.exists():
        return None
    kept = _load(state)
    environment = {key: value or "" for key, value in dotenv_values(state.services_env, interpolate=False).items()}
    ours = frozenset(server for server in Server if _is_ours(server, kept, environment))
    return Addresses(kept=kept, embedded=ours, environment=environment)


def use_services(state: State, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let this process, and Prefect's client in it, find the services. Call it before Prefect is imported."""
    addresses = recorded(state)
    for key, value in (addresses.environment if addresses else {}).items():
        environment.setdefault(key, value)
    environment.setdefault("PREFECT_HOME", str(state.prefect))


def _is_ours(server: Server, kept: Kept, environment: Mapping[str, str]) -> bool:
    """Nothing is set, or what is set is our own address from `services.env`."""
    given = environment.get(SETTING[server], "")
    return given in ("", kept.environment(server)[SETTING[server]])


def _load(state: State) -> Kept:
    path = state.run / KEPT
    if path.exists():
        try:
            return Kept.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise PrerequisiteError(f"{path} is damaged: move the folder {state.folder} away and start anew") from error
    return Kept(
        ports={server: any_free_port() for server in Server},
        database_password=secrets.token_hex(16),
        access_key=secrets.token_hex(10),
        secret_key=secrets.token_hex(20),
    )


def _free_port(server: Server, port: int, tell: Callable[[str], None]) -> int:
    if is_free(port):
        return port
    fresh = any_free_port()
    tell(f"port {port} of {server} is taken by another program: {fresh} from now on")
    return fresh


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_env_file(environment: Mapping[str, str]) -> str:
    lines = [f"{key}='{value}'" for key, value in environment.items()]
    return "\n".join(["# Written by `god up`. In a shell: set -a; . services.env; set +a", *lines, ""])
