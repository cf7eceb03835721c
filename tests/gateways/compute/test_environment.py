"""Wherever a checkout and its .venv lie, the sandbox has the evaluation environment."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.compute import Ending
from tests.gateways.compute.machine import Machine

pytestmark = pytest.mark.sandbox


@pytest.fixture(params=["/tmp", "/var/tmp"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment below a folder that the sandbox has afresh, and below one that it has not."""
    with tempfile.TemporaryDirectory(dir=request.param) as folder:
        Path(folder).chmod(0o755)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", f"{folder}/.venv"], check=True)
        monkeypatch.setattr(sys, "prefix", f"{folder}/.venv")
        yield Path(folder, ".venv")


def test_python_is_the_environments(bubblewrap: Machine, environment: Path) -> None:
    image = bubblewrap.build('ENTRYPOINT ["python", "-c"]', tag="python")
    status = bubblewrap.run("import sys; open('/tmp/x', 'w').write('x'); print(sys.prefix)", image=image)
    assert status.ending is Ending.FINISHED, bubblewrap.log()
    assert str(environment) in bubblewrap.log()
