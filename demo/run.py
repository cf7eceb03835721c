"""The demo from its first line to its last."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from core.challenge import ChallengeKind
from core.errors import PrerequisiteError
from core.ports import Ports
from core.tournament import TournamentState, TournamentStatus, WeightSetting
from demo.base_model import Progress as Pretraining
from demo.memory import PeakMemory
from demo.miners import CHAMPION, NAMES, SPY
from demo.report import report
from demo.stage import check_machine, enter_miners, fill_hub, folder_of, settle_environment
from demo.summary import Costs, SpyReport, Summary, read_spy_log, summarise
from embedded.addresses import DSN, PREFECT_API, S3_ENDPOINT, Addresses
from embedded.showing import LiveProgress
from embedded.state import State


def run(state: State, driver: str, console: Console, began: float, kinds: Sequence[ChallengeKind] = ()) -> bool:
    """Play a tournament to its weights and show it; True when everything is as it should be. The services stay up.

    Raises GodError, each with what to do.
    """
    settle_environment(state, driver)
    check_machine()
    written = folder_of(state) / "summary.json"
    written.unlink(missing_ok=True)
    with PeakMemory(state) as memory:
        _prepare_hub(console)
        addresses = _start_services(state, console)
        finished, setting, spy = _play(state, console, began, kinds)
        wall_seconds = time.monotonic() - began
    places = places_of(state, addresses)
    costs = Costs(wall_seconds=wall_seconds, peak_memory_mib=memory.mib)
    summary = summarise(finished, setting, NAMES, costs, spy, places["Prefect UI"])
    _write(summary, written)
    console.print(report(summary, places))
    return summary.complete


def stop(state: State, console: Console) -> None:
    from embedded.stopping import down

    with step(console, "stopping the services"):
        count = down(state)
    console.print(f"stopped {count} processes; what they keep stays in {state.folder}", highlight=False, soft_wrap=True)


@contextmanager
def step(console: Console, what: str) -> Iterator[None]:
    """A spinner for as long as it takes, or a plain line where there is no terminal."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, highlight=False)
        yield


def _prepare_hub(console: Console) -> None:
    """Show how the base model comes about, the first time."""
    from gateways.settings import load_settings

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[loss]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("datasets and base model, of Python's own library", total=1.0, loss="")

        def tell(progress: Pretraining) -> None:
            bar.update(task, completed=progress.done, loss=f"loss {progress.loss:.2f}")

        if not fill_hub(load_settings().hub.folder, tell):
            bar.update(task, loss="kept from last time")
        bar.update(task, completed=1.0)


def _start_services(state: State, console: Console) -> Addresses:
    from embedded.starting import up

    with LiveProgress(console) as progress:
        return up(state, False, progress)


def _play(
    state: State, console: Console, began: float, kinds: Sequence[ChallengeKind]
) -> tuple[TournamentState, WeightSetting | None, SpyReport | None]:
    from demo.follow import await_weights, follow
    from demo.opening import open_tournament, unfinished
    from gateways.wiring import ports

    outside = ports()
    outside.compute.trusted_image("evaluator-text")
    _enter(state, outside, console)
    tournament_id = unfinished(outside)
    if tournament_id is None:
        with step(console, "opening a tournament"):
            tournament_id = open_tournament(outside, CHAMPION.hotkey, kinds)
    else:
        console.print(f"going on with {tournament_id}", highlight=False)
    finished = follow(tournament_id, outside, console, began)
    if finished.tournament.status is not TournamentStatus.FINISHED:
        return finished, None, spy_report(finished, outside)
    with step(console, "waiting for the weights"):
        setting = await_weights(tournament_id, outside)
    return finished, setting, spy_report(finished, outside)


def _enter(state: State, outside: Ports, console: Console) -> None:
    from gateways.local_chain import LocalChain
    from gateways.wiring import settings

    if not isinstance(outside.chain, LocalChain):
        raise PrerequisiteError("the demo plays on the local chain only: unset GOD_CHAIN__DRIVER")
    with step(console, "miners make their repositories and commit them on the chain"):
        enter_miners(outside.chain, settings().chain, folder_of(state) / "miners")


def spy_report(state: TournamentState, outside: Ports) -> SpyReport | None:
    """What the spy's newest log says; None when it never ran."""
    logs = [a.log for t in state.trainings if t.hotkey == SPY.hotkey for a in t.attempts if a.log is not None]
    return read_spy_log(outside.artifacts.get_bytes(logs[-1])) if logs else None


def places_of(state: State, addresses: Addresses) -> dict[str, str]:
    """Where to look; no passwords."""
    environment = addresses.environment
    return {
        "Prefect UI": environment[PREFECT_API].removesuffix("/api"),
        "artifact store": environment.get(S3_ENDPOINT, "AWS"),
        "database": without_password(environment[DSN]),
        "addresses and keys": str(state.services_env),
        "logs": str(state.logs),
        "miners' repositories": str(folder_of(state) / "miners"),
        "summary": str(folder_of(state) / "summary.json"),
    }


def without_password(dsn: str) -> str:
    """The DSN as it may be shown."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":…@")))


def _write(summary: Summary, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(summary.model_dump_json(indent=2) + "\n")
    part.replace(path)
