"""Sandboxes that are killed, and processes that are started twice, or stand still and come back."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.compute import Ending
from core.errors import Fault
from core.ids import TrainingId
from core.training import WorkStatus
from gateways.compute.runs import Run
from tests.flows.blows import first_attempts, kill_bubblewrap, kill_first_process, kill_script, kill_supervisor, work_of
from tests.flows.ledger import ONE_GOOD_END, Ends, check_once, check_result, known
from tests.flows.staging import Stage

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres, pytest.mark.sandbox]

LOSSES = {0: "2.0", 1: "1.0", 2: "1.25"}
LOST: Ends = [(Ending.LOST, Fault.PLATFORM), *ONE_GOOD_END]
KILLED: Ends = [(Ending.KILLED, Fault.PLATFORM), *ONE_GOOD_END]
PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Life:
    """A process that plays the tournament of a stage, and the file that it complains to."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def see_its_end(self) -> None:
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.said()


@contextmanager
def life(stage: Stage, name: str = "life") -> Iterator[Life]:
    log = stage.folder / f"{name}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "tests.flows.life"], env=stage.environment(), stderr=stderr)
    try:
        yield Life(process, log)
    finally:
        process.kill()
        process.wait()


BLOWS: tuple[tuple[Callable[[Run], None], Ends], ...] = (
    (kill_supervisor, LOST),
    (kill_bubblewrap, LOST),
    (kill_first_process, LOST),
    (kill_script, KILLED),
)


def test_a_killed_sandbox_is_our_fault_and_costs_its_miner_nothing(stage: Stage) -> None:
    """Each kind of blow falls on a training and on an evaluation."""
    stage.enter(LOSSES, seconds=3)
    unlucky: dict[str, Ends] = {}
    with life(stage) as player:
        for blow, ends in BLOWS:
            for is_evaluation in (False, True):
                run = first_attempt(stage, player, set(unlucky), is_evaluation)
                blow(run)
                unlucky[work_of(run)] = ends
        player.see_its_end()
    check_result(stage.ports, known(LOSSES))
    check_once(stage, stage.ports, unlucky)


def first_attempt(stage: Stage, player: Life, but: Set[str], is_evaluation: bool) -> Run:
    """Wait for one of work that was not struck yet."""
    player.until(lambda: bool(first_attempts(stage, but, is_evaluation)))
    return first_attempts(stage, but, is_evaluation)[0]


def test_two_starts_of_one_tournament_join_into_one(stage: Stage) -> None:
    stage = replace(stage, stale_seconds=60)
    stage.enter(LOSSES)
    with life(stage, "one") as one, life(stage, "other") as other:
        one.see_its_end()
        other.see_its_end()
    check_result(stage.ports, known(LOSSES))
    check_once(stage, stage.ports)


def test_a_process_that_stands_still_finds_its_work_taken_and_changes_nothing(stage: Stage) -> None:
    stage.enter(LOSSES, seconds=3)
    with life(stage, "stuck") as stuck:
        run = first_attempt(stage, stuck, set(), is_evaluation=False)
        stuck.process.send_signal(signal.SIGSTOP)
        with life(stage, "successor") as successor:
            successor.until(lambda: is_recorded(stage, work_of(run)))
            stuck.process.send_signal(signal.SIGCONT)
            successor.see_its_end()
        assert stuck.process.wait(PATIENCE_SECONDS) != 0
    assert "StaleStateError" in stuck.said()
    check_result(stage.ports, known(LOSSES))
    check_once(stage, stage.ports)


def is_recorded(stage: Stage, training_id: str) -> bool:
    return stage.ports.trainings.load(TrainingId(training_id)).status is WorkStatus.DONE
