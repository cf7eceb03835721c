"""Flows run in Prefect's test server, against the in-memory twins, trainings within the asking flow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from gateways import wiring


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}), prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def inline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Iterator[Path]:
    """A state folder of this test's own, and work done inline."""
    monkeypatch.setenv("GOD_STATE", str(tmp_path))
    monkeypatch.setenv("GOD_DISPATCH__MODE", "inline")
    wiring.settings.cache_clear()
    yield tmp_path
    wiring.settings.cache_clear()
