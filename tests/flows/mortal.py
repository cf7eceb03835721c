"""Lives that end by SIGKILL: `python -m tests.flows.mortal <folder>` plays a tournament until one life sees its end.

`python -m tests.flows.mortal <folder> measuring` measures what waits on the stage, and dies for each evaluation anew.

Each life is a fork of this process. It dies just before or just after a call that has an effect, at the first such
point where no life before it has died; the next one finds what it left.
"""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.artifacts import ArtifactKind, ArtifactRef
from core.compute import ContainerSpec, Lease
from core.ports import Ports
from gateways.wiring import settings
from tests.flows.life import live, measure
from tests.flows.staging import staged_ports

EFFECTS = {
    "tournaments": ("open", "record_entries", "record_round", "challenge_ready", "close_round", "crown"),
    "trainings": ("begin", "started", "end_attempt", "record"),
    "evaluations": ("begin", "started", "record"),
    "leases": ("acquire", "release"),
    "weights": ("plan", "confirm"),
    "ledger": ("deposit",),
    "artifacts": ("put_bytes", "put_file", "put_tree", "fetch"),
    "compute": ("build", "trusted_image", "start", "remove"),
    "chain": ("set_weights",),
}
"""Methods of each port that change something outside, as far as a tournament without misfortunes calls them."""
SHARED = ("leases", "artifacts", "compute")
"""Ports whose calls serve several steps of the lifecycle: one may die at each."""


class Deaths:
    """The points where a life has ended, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._points = set(file.read_text().splitlines()) if file.exists() else set()

    def die_at(self, point: str) -> None:
        """The first time."""
        if point in self._points:
            return
        with self._file.open("a") as file:
            file.write(f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A port at whose effects one may die, once for each aim that `aim_of` tells apart."""

    def __init__(self, port: object, name: str, deaths: Deaths, aim_of: Callable[..., str]) -> None:
        self._port, self._name, self._deaths, self._aim_of = port, name, deaths, aim_of

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)
        return self._deadly(method, call) if method in EFFECTS.get(self._name, ()) else call

    def _deadly(self, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*arguments: Any, **named: Any) -> Any:
            point = f"{self._name}.{method}{self._aim_of(self._name, *arguments, *named.values())}"
            self._deaths.die_at(f"before {point}")
            result = call(*arguments, **named)
            self._deaths.die_at(f"after {point}")
            return result

        return deadly


def by_name(_: str, first: object = None, *__: object) -> str:
    """Whatever a call is about by itself."""
    match first:
        case ContainerSpec():
            return f" for {first.name}"
        case Lease():
            return f" for {first.owner}"
        case str():
            return f" for {first}"
    return ""


def by_sort(port: str, first: object = None, *_: object) -> str:
    """What a call is about, from its first argument; one sort of thing is as good as another."""
    if port not in SHARED:
        return ""
    match first:
        case ArtifactKind():
            return f" of {first}"
        case ArtifactRef():
            return f" of {first.kind}"
        case ContainerSpec():
            return f" for {work_of(first.name)}"
        case Lease():
            return f" for {work_of(first.owner)}"
        case str():
            return f" for {work_of(first)}"
    return ""


def work_of(name: str) -> str:
    """What an id, a run's name or a lease's owner belongs to."""
    form = re.fullmatch(r"text-\d+(?P<training>-r\d.*?(?P<evaluation>-e\d+)?(-a\d+)?)?", name)
    if form is None:
        return name
    return "evaluation" if form["evaluation"] else "training" if form["training"] else "tournament"


def mortal_ports(deaths: Deaths, aim_of: Callable[..., str]) -> Ports:
    ports = vars(staged_ports(settings())).items()
    return Ports(**{name: Mortal(port, name, deaths, aim_of) for name, port in ports})


def fork_life(deaths_file: Path, scenario: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        life, aim_of = SCENARIOS[scenario]
        life(mortal_ports(Deaths(deaths_file), aim_of))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


SCENARIOS = {"tournament": (live, by_sort), "measuring": (measure, by_name)}


def main(folder: Path, scenario: str = "tournament") -> None:
    while True:
        _, status = os.waitpid(fork_life(folder / "deaths", scenario), 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
