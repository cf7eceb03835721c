"""One sandbox with short limits for all tests of the room."""

from collections.abc import Iterator

import pytest

from evaluators.rewards.sandbox import Limits, Sandbox

FUNCTION = Limits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=256 << 20)
PROGRAM = Limits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=128 << 20)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(FUNCTION, PROGRAM) as shared:
        yield shared
