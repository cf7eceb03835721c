"""What `god up`, `down` and `status` show on a terminal."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from embedded.reporting import ServiceReport


class LiveProgress:
    """A line a step, with a spinner while it lasts. Steps may begin and end in any thread."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<18}"),
            TextColumn("[dim]{task.fields[remark]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._steps: dict[str, TaskID] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def says(self, line: str) -> None:
        self._bar.console.print(line)

    def begins(self, step: str) -> None:
        with self._lock:
            self._steps[step] = self._bar.add_task(step, total=1, remark="")

    def done(self, step: str, remark: str) -> None:
        self._bar.update(self._steps[step], completed=1, remark=remark)


def status_table(reports: Sequence[ServiceReport]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("service", "state", "pid", "memory", "address", "up", "log"):
        table.add_column(name, overflow="fold", no_wrap=name in ("service", "pid", "memory", "up"))
    for report in reports:
        table.add_row(
            report.name,
            f"[{'green' if report.is_well else 'red'}]{report.state}",
            str(report.pid or ""),
            f"{report.memory_mib} MiB" if report.memory_mib is not None else "",
            report.address,
            str(timedelta(seconds=report.uptime_seconds)) if report.uptime_seconds is not None else "",
            _from_here(report.log),
        )
    return table


def _from_here(path: str) -> str:
    """As one would type it."""
    return os.path.relpath(path) if path.startswith(str(Path.cwd())) else path
