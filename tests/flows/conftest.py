"""Flows run in Prefect's test server, against the in-memory twins, trainings within the asking flow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from gateways import wiring


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    one_thread = {PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS: 1, PREFECT_LOGGING_TO_API_ENABLED: False}
    with temporary_settings(one_thread), prefect_test_harness(server_startup_timeout=60):
        yield


@pytest.fixture
def inline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Iterator[Path]:
    """A state folder of this test's own, and work done inline."""
    monkeypatch.setenv("GOD_STATE", str(tmp_path))
    monkeypatch.setenv("GOD_DISPATCH__MODE", "inline")
    wiring.settings.cache_clear()
    yield tmp_path
    wiring.settings.cache_clear()
