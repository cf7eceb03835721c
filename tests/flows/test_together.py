"""Evaluations of one challenge that wait together are measured by one container run, and stay apart in everything."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.artifacts import ArtifactKind, ArtifactRef
from core.compute import Ending
from core.errors import Fault
from core.evaluation import Evaluation, Refused, Scored
from core.ids import EvaluationId
from core.ports import Ports
from core.training import WorkStatus
from gateways.wiring import use_ports
from tests import builders
from tests.flows.crowding import PLATFORM_ATTEMPTS, crowd, measure_all
from tests.flows.ledger import ONE_GOOD_END, ends, repeated
from tests.flows.play import Play
from tests.flows.staging import Stage

pytestmark = pytest.mark.prefect

BEHAVIOURS = {1: "1.5", 2: "base", 3: "1.25", 4: "1.0"}


def tree(ports: Ports, kind: ArtifactKind, folder: Path, content: str) -> ArtifactRef:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(content)
    return ports.artifacts.put_tree(kind, folder)


def crowded(ports: Ports, folder: Path, behaviours: dict[int, str]) -> list[EvaluationId]:
    model = tree(ports, ArtifactKind.MODEL, folder / "model", "base")
    checkpoints = {
        number: tree(ports, ArtifactKind.CHECKPOINT, folder / str(number), content)
        for number, content in behaviours.items()
    }
    return crowd(ports, model, checkpoints)


@pytest.fixture
def play(inline: Path) -> Play:
    return Play(inline, {})


def loaded(ports: Ports, names: list[EvaluationId]) -> list[Evaluation]:
    return [ports.evaluations.load(name) for name in names]


def value_of(evaluation: Evaluation) -> float | str:
    return evaluation.outcome.value if isinstance(evaluation.outcome, Scored) else str(evaluation.outcome)


def test_one_run_measures_all_that_wait(play: Play, inline: Path) -> None:
    names = crowded(play.ports, inline / "trees", BEHAVIOURS)
    with use_ports(play.ports):
        measure_all(play.ports)
    assert play.compute.ran == [f"{names[0]}-a1"]
    done = loaded(play.ports, names)
    assert [value_of(e) for e in done if isinstance(e.outcome, Scored)] == [1.5, 1.25, 1.0]
    assert isinstance(done[1].outcome, Refused) and done[1].outcome.fault is Fault.MINER
    assert {attempt.run_name for e in done for attempt in e.attempts} == {f"{names[0]}-a1"}
    assert len({e.report for e in done}) == len(names), "each has a report of its own"
    assert repeated(play.ports) == [] and play.compute.names() == []


def test_whose_report_is_whole_has_its_outcome_and_the_others_are_measured_alone(play: Play, inline: Path) -> None:
    """The run dies of the third, after the second and before the fourth and the first, whose run it is."""
    names = crowded(play.ports, inline / "trees", {1: "1.5", 2: "1.25", 3: "no number", 4: "1.0"})
    with use_ports(play.ports):
        measure_all(play.ports)
    first, second, third, fourth = loaded(play.ports, names)
    assert [value_of(e) for e in (first, second, fourth)] == [1.5, 1.25, 1.0]
    assert isinstance(third.outcome, Refused) and third.outcome.fault is Fault.PLATFORM
    assert [len(e.attempts) for e in (first, second, third, fourth)] == [2, 1, PLATFORM_ATTEMPTS, 2]
    alone = {f"{name}-a2" for name in (names[0], names[2], names[3])} | {f"{names[2]}-a3"}
    assert set(play.compute.ran) == {f"{names[0]}-a1"} | alone


def test_a_lost_run_costs_each_an_attempt_and_then_each_is_alone(play: Play, inline: Path) -> None:
    names = crowded(play.ports, inline / "trees", BEHAVIOURS)
    play.compute.endings[f"{names[0]}-a1"] = Ending.LOST
    with use_ports(play.ports):
        measure_all(play.ports)
    assert play.compute.ran == [f"{names[0]}-a1", *(f"{name}-a2" for name in names)]
    for evaluation in loaded(play.ports, names):
        assert ends(evaluation) == [(Ending.LOST, Fault.PLATFORM), *ONE_GOOD_END]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.sandbox
@pytest.mark.timeout(600)
def test_a_shared_run_that_is_killed_at_every_step_ends_as_if_nothing_had_happened(stage: Stage) -> None:
    losses = {1: "1.5", 2: "1.25", 3: "1.0"}
    names = crowded(stage.ports, stage.folder / "trees", {number: f"{loss} 0.2" for number, loss in losses.items()})
    command = [sys.executable, "-m", "tests.flows.mortal", str(stage.folder), "measuring"]
    assert subprocess.run(command, env=stage.environment()).returncode == 0
    deaths = set((stage.folder / "deaths").read_text().splitlines())
    for side in ("before", "after"):
        assert f"{side} evaluations.begin for {names[0]}" in deaths
        assert {f"{side} evaluations.record for {name}" for name in names} <= deaths
        assert f"{side} compute.start for {names[0]}-a1" in deaths
    done = loaded(stage.ports, names)
    assert [value_of(evaluation) for evaluation in done] == [1.5, 1.25, 1.0]
    assert {attempt.run_name for e in done for attempt in e.attempts} == {f"{names[0]}-a1"}
    assert {evaluation.status for evaluation in done} == {WorkStatus.DONE}
    assert [ends(evaluation) for evaluation in done] == [ONE_GOOD_END] * 3
    assert repeated(stage.ports) == []
    log = stage.ports.artifacts.get_bytes(done[0].attempts[0].log or builders.report())
    assert log.count(b" begins\n") == 1, "its entry point ran once"
