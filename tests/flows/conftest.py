"""Flows run in Prefect's test server, against the in-memory twins, trainings within the asking flow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from gateways import wiring
from gateways.compute.local import LocalCompute
from gateways.settings import ComputeSettings
from tests.conftest import RcloneServer
from tests.flows.staging import Stage


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    # Ending the heartbeat's thread takes Prefect a second for each flow run.
    quiet = {PREFECT_LOGGING_TO_API_ENABLED: False, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with temporary_settings(quiet), prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def inline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Iterator[Path]:
    """A state folder of this test's own, and work done inline."""
    monkeypatch.setenv("GOD_STATE", str(tmp_path))
    monkeypatch.setenv("GOD_DISPATCH__MODE", "inline")
    wiring.settings.cache_clear()
    yield tmp_path
    wiring.settings.cache_clear()


@pytest.fixture
def stage(tmp_path: Path, dsn: str, rclone_server: RcloneServer, prefect_server: None) -> Iterator[Stage]:
    """The place of one tournament on real parts, without entrants; afterwards nothing of it runs."""
    stage = Stage(tmp_path, dsn, rclone_server.settings)
    stage.make_hub()
    yield stage
    compute = LocalCompute(ComputeSettings(driver="bubblewrap"), tmp_path / "state/compute")
    for name in compute.names():
        compute.remove(name)
