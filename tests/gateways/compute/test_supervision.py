"""Runs outlive whoever asked for them, run once, and get an end whatever is killed."""

import json
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from core.compute import Ending
from core.errors import PrerequisiteError
from gateways.compute.local import LocalCompute
from gateways.compute.runs import Run, State
from gateways.settings import ComputeSettings
from tests.gateways.compute.machine import OUTPUT, Machine


def processes(mark: str) -> list[int]:
    """Processes of this machine, not counting zombies, whose command line has the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def sandbox_chain(supervisor: int) -> list[tuple[int, str]]:
    """What stands between a supervisor and an entry point, by number and name."""
    chain = []
    (pid,) = children(supervisor)
    while (name := Path(f"/proc/{pid}/comm").read_text().strip()) in ("bwrap", "python3.11"):
        chain.append((pid, name))
        (pid,) = children(pid)
    return chain


def wait_until_gone(mark: str) -> None:
    deadline = time.monotonic() + 20
    while processes(mark):
        assert time.monotonic() < deadline, f"{mark} still runs"
        time.sleep(0.02)


def state_of(machine: Machine, name: str = "run") -> State:
    state = Run(machine.output(name).parent).state()
    assert state is not None
    return state


def test_a_run_that_never_was_is_none(machine: Machine):
    assert machine.compute.status("never") is None
    machine.compute.stop("never")
    machine.compute.remove("never")
    assert machine.compute.names() == []


def test_starting_twice_runs_once(machine: Machine):
    script = f"echo run >> {OUTPUT}/runs; sleep 1"
    machine.start(script)
    machine.start(script)
    machine.ended()
    machine.start(script)
    assert (machine.output() / "runs").read_text() == "run\n"
    assert machine.compute.names() == ["run"]


def test_starting_from_many_processes_at_once_runs_once(machine: Machine):
    spec = machine.spec(f"echo run >> {OUTPUT}/runs; sleep 1")
    # Fresh processes: a fork would take along whatever threads other tests have left here.
    fresh = multiprocessing.get_context("spawn")
    starters = [fresh.Process(target=machine.another().start, args=(spec,)) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0] * 4
    machine.ended()
    assert (machine.output() / "runs").read_text() == "run\n"


def test_a_run_outlives_the_process_that_started_it(machine: Machine):
    spec = machine.spec(f"sleep 1; echo survived > {OUTPUT}/word")
    starter = multiprocessing.Process(target=_start_and_die, args=(machine.another(), spec))
    starter.start()
    starter.join()
    assert starter.exitcode == -signal.SIGKILL
    machine.compute = machine.another()
    assert not machine.known().is_over
    assert machine.ended().ending is Ending.FINISHED
    assert (machine.output() / "word").read_text() == "survived\n"


def _start_and_die(compute: LocalCompute, spec: object) -> None:
    compute.start(spec)  # type: ignore[arg-type]
    os.killpg(os.getpid(), signal.SIGKILL) if os.getpgrp() == os.getpid() else os.kill(os.getpid(), signal.SIGKILL)


def test_a_stopped_run_is_lost_and_its_log_is_kept(machine: Machine):
    machine.start(f"echo begun; echo part > {OUTPUT}/part; sleep 1234")
    machine.wait_for("begun")
    machine.compute.stop("run")
    assert machine.known().ending is Ending.LOST
    assert (machine.output() / "part").exists()
    machine.compute.stop("run")


def test_a_removed_run_leaves_nothing(machine: Machine):
    machine.start(f"mkdir -p {OUTPUT}/a/b; echo begun; sleep 1234")
    machine.wait_for("begun")
    folder = machine.output().parent
    machine.compute.remove("run")
    assert not folder.exists()
    assert machine.compute.status("run") is None and machine.compute.names() == []


def test_a_removed_run_is_not_started_again(machine: Machine):
    machine.run(f"echo run >> {OUTPUT}/runs")
    machine.compute.remove("run")
    machine.compute = machine.another()
    machine.start(f"echo run >> {OUTPUT}/runs")
    assert machine.compute.status("run") is None and machine.compute.names() == []


def test_a_killed_supervisor_is_lost_and_leaves_no_process(machine: Machine):
    machine.start("echo begun; sleep 54321")
    machine.wait_for("begun")
    os.kill(state_of(machine).supervisor, signal.SIGKILL)
    status = machine.ended()
    assert (status.ending, status.detail) == (Ending.LOST, "its supervisor vanished")
    wait_until_gone("54321")
    assert machine.known() == status, "an end is recorded once"


@pytest.mark.sandbox
def test_without_a_supervisor_no_process_waits_for_somebody_to_ask(bubblewrap: Machine):
    bubblewrap.start("echo begun; sleep 54322")
    bubblewrap.wait_for("begun")
    os.kill(state_of(bubblewrap).supervisor, signal.SIGKILL)
    wait_until_gone("54322")


@pytest.mark.sandbox
@pytest.mark.parametrize("depth", range(4), ids=["outer bubblewrap", "its process 1", "inner bubblewrap", "launcher"])
def test_a_sandbox_killed_from_outside_is_lost(bubblewrap: Machine, depth: int):
    bubblewrap.start("echo begun; sleep 54323")
    bubblewrap.wait_for("begun")
    chain = sandbox_chain(state_of(bubblewrap).supervisor)
    assert [name for _, name in chain] == ["bwrap", "bwrap", "bwrap", "python3.11"]
    os.kill(chain[depth][0], signal.SIGKILL)
    assert bubblewrap.ended().ending is Ending.LOST
    wait_until_gone("54323")


@pytest.mark.docker
def test_a_container_removed_from_outside_is_lost(containers: Machine, engine):
    containers.start("echo begun; sleep 54324")
    containers.wait_for("begun")
    engine.api.remove_container(state_of(containers).sandbox["container"], force=True)
    assert containers.ended().ending is Ending.LOST


@pytest.mark.docker
def test_an_ended_run_leaves_no_container(containers: Machine, engine):
    containers.run("true")
    assert engine.containers.list(all=True, filters={"label": "god.run=run"}) == []


@pytest.mark.sandbox
def test_an_entry_point_killed_from_outside_is_killed(bubblewrap: Machine):
    bubblewrap.start("echo begun; exec sleep 54325")
    bubblewrap.wait_for("begun")
    deadline = time.monotonic() + 10
    while not (found := [p for p in processes("54325") if Path(f"/proc/{p}/cmdline").read_bytes()[:5] == b"sleep"]):
        assert time.monotonic() < deadline
    os.kill(found[0], signal.SIGKILL)
    assert bubblewrap.ended().ending is Ending.KILLED


@pytest.mark.sandbox
def test_a_plan_whose_supervisor_never_got_going_can_be_started(bubblewrap: Machine):
    spec = bubblewrap.spec("true")
    run = Run(bubblewrap.folder / "compute" / "runs" / "run")
    run.propose(bubblewrap.compute.driver.plan(spec, run))
    assert bubblewrap.compute.status("run") is None
    bubblewrap.compute.start(spec)
    assert bubblewrap.ended().ending is Ending.FINISHED


@pytest.mark.sandbox
def test_a_supervisor_killed_at_any_moment_leaves_an_end_or_a_fresh_start(bubblewrap: Machine):
    """Kill it after 0, 5, 10 … ms: the run is lost, finished, or was never begun; nothing hangs."""
    for step in range(12):
        name = f"run-{step}"
        bubblewrap.start(f"echo once >> {OUTPUT}/runs; exit 7", name)
        time.sleep(step * 0.005)
        with suppress(ProcessLookupError):
            os.kill(state_of(bubblewrap, name).supervisor, signal.SIGKILL)
        assert bubblewrap.ended(name).ending in (Ending.LOST, Ending.CRASHED)
        assert not any(
            Path(folder).exists() for folder in state_of(bubblewrap, name).sandbox.get("cgroups", {}).values()
        )


@pytest.mark.sandbox
def test_no_control_group_is_left(bubblewrap: Machine):
    bubblewrap.run("true")
    folders = state_of(bubblewrap).sandbox["cgroups"].values()
    assert [folder for folder in folders if Path(folder).exists()] == []


def test_an_input_that_is_not_there_is_named(machine: Machine):
    with pytest.raises(PrerequisiteError, match="/no/such/input"):
        machine.start("true", inputs=({"source": "/no/such/input", "target": "/cache"},))


def test_slots_are_numbered_by_machine(tmp_path: Path):
    compute = LocalCompute(ComputeSettings(instance="a", slots=2), tmp_path)
    assert [slot.resource for slot in compute.slots()] == ["slot/a/0", "slot/a/1"]
    compute = LocalCompute(ComputeSettings(instance="b", slots=4, gpus=("GPU-1", "GPU-2")), tmp_path)
    assert [(slot.resource, slot.device) for slot in compute.slots()] == [("slot/b/0", "GPU-1"), ("slot/b/1", "GPU-2")]


def test_plans_and_states_survive_the_disk(tmp_path: Path):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    assert run.state() is None
    state = State(supervisor=7, sandbox={"cgroups": {}}, started_at="2026-11-22T00:00:00+00:00")
    run.write_state(state)
    assert run.state() == state
    assert json.loads((run.folder / "state.json").read_text())["supervisor"] == 7


def test_a_run_is_locked_once(tmp_path: Path):
    run = Run(tmp_path)
    with run.locked() as first, run.locked() as second:
        assert (first, second) == (True, False)
    with run.locked() as third:
        assert third
