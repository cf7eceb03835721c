"""How each service is asked whether it is well."""

import json
import socket
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from embedded.addresses import DSN, PREFECT_API, S3_ENDPOINT, Server
from embedded.programs import WORKER_PREFIX

TIMEOUT_SECONDS = 3.0
HEARTBEAT_WINDOW = timedelta(seconds=45)


def is_well(name: str, environment: dict[str, str], since: int = 0) -> bool:
    """Ask a server or worker by its program's name.

    Args:
        environment: The addresses in force.
        since: For a worker: when its process started, in seconds since the epoch; it must have reported since.
    """
    match name:
        case Server.POSTGRES:
            return postgres_answers(environment[DSN])
        case Server.S3:
            return http_answers(environment.get(S3_ENDPOINT, "https://s3.amazonaws.com"))
        case Server.PREFECT:
            return http_answers(f"{environment[PREFECT_API]}/health")
        case _:
            return worker_reports(environment[PREFECT_API], name.removeprefix(WORKER_PREFIX), since)


def postgres_answers(dsn: str) -> bool:
    """It takes connections; the database itself may not be there yet."""
    try:
        psycopg.connect(dsn, dbname="postgres", connect_timeout=int(TIMEOUT_SECONDS)).close()
    except psycopg.Error:
        return False
    return True


def http_answers(url: str) -> bool:
    """Any answer below 500 will do: an S3 server refuses us here for want of a signature."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError):
        return False


def worker_reports(api: str, pool: str, since: int) -> bool:
    """The worker of this machine has sent the server a heartbeat lately, and since its process started."""
    name = f"{pool}@{socket.gethostname()}"
    try:
        workers = _post(f"{api}/work_pools/{pool}/workers/filter", {})
    except (OSError, ValueError):
        return False
    heartbeats = [worker["last_heartbeat_time"] for worker in workers if worker["name"] == name]
    oldest = max(datetime.fromtimestamp(since, UTC), datetime.now(UTC) - HEARTBEAT_WINDOW)
    return any(datetime.fromisoformat(beat) >= oldest for beat in heartbeats if beat)


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.load(answer)
