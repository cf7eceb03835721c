"""A `LocalCompute` with an image that runs what it is told, and the few steps that its tests are made of."""

import time
from pathlib import Path
from typing import Any

from core.compute import BuildFailure, ContainerSpec, ContainerStatus
from gateways.compute.local import LocalCompute
from gateways.settings import ComputeSettings
from tests.builders import container_spec, limits

OUTPUT = "/app/checkpoints/task/repository"
DOCKERFILE = "dockerfiles/standalone-text-trainer.dockerfile"


class Machine:
    """One driver on a folder of its own."""

    def __init__(self, driver: Any, folder: Path, base_image: str) -> None:
        folder.chmod(0o755)
        self.folder = folder
        self.base_image = base_image
        self._settings = ComputeSettings(driver=driver)
        self.compute = self.another()
        self._image = ""

    def another(self) -> LocalCompute:
        """As another process of ours would see the same folder."""
        return LocalCompute(self._settings, self.folder / "compute")

    def repository(self, dockerfile: str, files: dict[str, str] | None = None) -> Path:
        source = self.folder / "repository"
        for name, content in {DOCKERFILE: dockerfile, **(files or {})}.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return source

    def build(self, dockerfile: str, files: dict[str, str] | None = None, tag: str = "test") -> str | BuildFailure:
        source = self.repository(f"FROM {self.base_image}\n{dockerfile}", files)
        return self.compute.build(source, DOCKERFILE, f"god-test/{self.folder.name.lower()}:{tag}")

    @property
    def shell(self) -> str:
        """An image whose argument is a shell script."""
        if not self._image:
            image = self.build('WORKDIR /workspace\nENTRYPOINT ["/bin/sh", "-c"]')
            assert isinstance(image, str), image
            self._image = image
        return self._image

    def spec(self, script: str, name: str = "run", **changes: Any) -> ContainerSpec:
        bounds = limits(**changes.pop("limits", {}))
        fields = {"image": self.shell, "command": (script,), "output_target": OUTPUT, "limits": bounds} | changes
        return container_spec(name, **fields)

    def start(self, script: str, name: str = "run", **changes: Any) -> None:
        self.compute.start(self.spec(script, name, **changes))

    def run(self, script: str, name: str = "run", **changes: Any) -> ContainerStatus:
        self.start(script, name, **changes)
        return self.ended(name)

    def ended(self, name: str = "run", seconds: float = 60.0) -> ContainerStatus:
        deadline = time.monotonic() + seconds
        while not (status := self.known(name)).is_over:
            assert time.monotonic() < deadline, f"{name} does not end"
            time.sleep(0.01)
        return status

    def known(self, name: str = "run") -> ContainerStatus:
        status = self.compute.status(name)
        assert status is not None
        return status

    def wait_for(self, text: str, name: str = "run", seconds: float = 60.0) -> None:
        """Until the run's log has the text."""
        deadline = time.monotonic() + seconds
        while text not in self.log(name):
            assert time.monotonic() < deadline, f"no {text!r} in the log: {self.log(name)}"
            time.sleep(0.01)

    def log(self, name: str = "run") -> str:
        path = Path(self.known(name).log_path)
        return path.read_text(errors="replace") if path.exists() else ""

    def output(self, name: str = "run") -> Path:
        return Path(self.known(name).output_path)

    def clear(self) -> None:
        for name in self.compute.names():
            self.compute.remove(name)
