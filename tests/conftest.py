"""Fixtures that more than one room's tests use."""

import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import HealthCheck, settings
from pydantic import SecretStr

from gateways.postgres.database import Database
from gateways.postgres.migrate import migrate
from gateways.settings import ArtifactSettings
from tests.postgres_server import TestServer, running_server

# Before Prefect is imported, for flows take it when they are defined: one task at a time, or they lock its SQLite. So
# do the services that write down events: each time that they are in its way, a client waits for two seconds.
os.environ["PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS"] = "1"
for service in ("TASK_RUN_RECORDER", "EVENT_PERSISTER", "TRIGGERS"):
    os.environ[f"PREFECT_SERVER_SERVICES_{service}_ENABLED"] = "false"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["COLUMNS"] = "200"  # tables of the command are printed whole

# Hypothesis fails an example that takes 200 ms, and inputs that take a second: on a busy machine any can.
settings.register_profile("unhurried", settings(), deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("unhurried")

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RcloneServer:
    """`rclone serve s3` on a folder; `start` and `kill` as often as one likes, always at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = artifact_settings(f"http://127.0.0.1:{self.port}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        rclone = Path(sysconfig.get_path("scripts"), "rclone")
        # It must not outlive a test run that is killed.
        command = ["setpriv", "--pdeathsig=KILL", rclone, "serve", "s3", self.folder, "--config=/dev/null"]
        command += [f"--addr=127.0.0.1:{self.port}", f"--auth-key={ACCESS_KEY},{SECRET_KEY}", "--log-level=ERROR"]
        self._process = subprocess.Popen(command, env={**os.environ, "HOME": str(self.folder)})
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, "rclone did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def rclone_server(tmp_path: Path) -> Iterator[RcloneServer]:
    """A server of this test's own, started and without a bucket, to be killed and started again."""
    server = RcloneServer(tmp_path / "rclone")
    server.folder.mkdir()
    server.start()
    yield server
    server.kill()


@contextmanager
def _rclone(folder: Path) -> Iterator[str]:
    server = RcloneServer(folder)
    server.start()
    try:
        yield server.settings.endpoint
    finally:
        server.kill()


@contextmanager
def _moto(_: Path) -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session", params=[_moto, _rclone], ids=["moto", "rclone"])
def s3_endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running S3 server, one of each kind in turn."""
    with request.param(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    """A plain client of that server, for doing to a bucket what we never would."""
    return boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture
def s3_settings(s3_endpoint: str, s3_client: Any) -> ArtifactSettings:
    """Settings of a running S3 server with an empty bucket of this test's own."""
    settings = artifact_settings(s3_endpoint)
    s3_client.create_bucket(Bucket=settings.bucket)
    return settings


def artifact_settings(endpoint: str) -> ArtifactSettings:
    return ArtifactSettings(
        endpoint=endpoint, bucket=f"god-{uuid4().hex}", access_key=ACCESS_KEY, secret_key=SecretStr(SECRET_KEY)
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[TestServer]:
    """The session's PostgreSQL, with the migrated database `god_template`."""
    with running_server() as server:
        migrate(server.create_database("god_template"))
        yield server


@pytest.fixture
def dsn(postgres_server: TestServer) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    with postgres_server.database() as dsn:
        yield dsn


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    database = Database(dsn)
    yield database
    database.close()
