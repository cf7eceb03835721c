"""Compute in memory: a Python function stands in for the container."""

import shutil
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from core.compute import BuildFailure, ContainerSpec, ContainerStatus, Ending, Slot
from core.errors import Fault, PrerequisiteError
from gateways.memory.world import Clock, changed, utc_now

Script = Callable[[ContainerSpec, Path], Ending]
"""What runs as the container: writes into the output folder and says how it ended. Raising is a crash."""
EXIT_CODES = {Ending.FINISHED: 0, Ending.CRASHED: 1, Ending.KILLED: 137, Ending.OUT_OF_MEMORY: 137}
_SCRIPTLESS = {Ending.LOST, Ending.REFUSED}


class MemoryCompute:
    """Runs end before `start` returns, or in threads of their own when `threaded`.

    `ran` lists the name of every run that was started, once for each start; `built` every tag that was built.
    `endings` imposes an end on the run of a name: LOST and REFUSED ones do nothing, any other runs the script first.
    `build_failures` does so for tags.
    """

    def __init__(
        self,
        script: Script,
        folder: Path,
        *,
        slots: int = 1,
        instance: str = "local",
        images: tuple[str, ...] = ("evaluator-text",),
        threaded: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        self.ran: list[str] = []
        self.built: list[str] = []
        self.endings: dict[str, Ending] = {}
        self.build_failures: dict[str, BuildFailure] = {}
        self._script = script
        self._folder = folder
        self._slots = [Slot(resource=f"slot/{instance}/{number}", instance=instance) for number in range(slots)]
        self._images = images
        self._threaded = threaded
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, ContainerStatus] = {}

    def slots(self) -> list[Slot]:
        return list(self._slots)

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        if tag in self.build_failures:
            return self.build_failures[tag]
        if not (source / dockerfile).is_file():
            return BuildFailure(reason=f"the repository has no {dockerfile}", fault=Fault.MINER)
        with self._lock:
            if tag not in self.built:
                self.built.append(tag)
        return tag

    def trusted_image(self, name: str) -> str:
        if name not in self._images:
            raise PrerequisiteError(f"there is no image {name}; give it to MemoryCompute(images=...)")
        return f"god/{name}:memory"

    def start(self, spec: ContainerSpec) -> None:
        with self._lock:
            if spec.name in self.ran:
                return
            self.ran.append(spec.name)
            output = self._prepare(spec)
        if self._threaded:
            threading.Thread(target=self._run, args=(spec, output), name=spec.name, daemon=True).start()
        else:
            self._run(spec, output)

    def status(self, name: str) -> ContainerStatus | None:
        return self._runs.get(name)

    def stop(self, name: str) -> None:
        self._end(name, Ending.LOST, "stopped")

    def remove(self, name: str) -> None:
        self.stop(name)
        with self._lock:
            if self._runs.pop(name, None) is not None:
                shutil.rmtree(self._folder / name)

    def names(self) -> list[str]:
        with self._lock:
            return list(self._runs)

    def _prepare(self, spec: ContainerSpec) -> Path:
        output, log = self._folder / spec.name / "output", self._folder / spec.name / "log"
        output.mkdir(parents=True)
        log.touch()
        started_at = None if self.endings.get(spec.name) is Ending.REFUSED else self._clock()
        self._runs[spec.name] = ContainerStatus(
            name=spec.name, started_at=started_at, output_path=str(output), log_path=str(log)
        )
        return output

    def _run(self, spec: ContainerSpec, output: Path) -> None:
        imposed = self.endings.get(spec.name)
        if imposed in _SCRIPTLESS:
            self._end(spec.name, imposed, "imposed")
            return
        try:
            ending = self._script(spec, output)
        except Exception as error:
            ending = Ending.CRASHED
            self._write_log(output.with_name("log"), "".join(traceback.format_exception(error)))
        self._end(spec.name, imposed or ending, "imposed" if imposed else "")

    def _write_log(self, log: Path, text: str) -> None:
        if log.exists():
            log.write_text(text)

    def _end(self, name: str, ending: Ending, detail: str) -> None:
        """The first end of a run is its end."""
        with self._lock:
            run = self._runs.get(name)
            if run is not None and not run.is_over:
                exit_code = EXIT_CODES.get(ending)
                self._runs[name] = changed(
                    run, ended_at=self._clock(), ending=ending, exit_code=exit_code, detail=detail
                )
