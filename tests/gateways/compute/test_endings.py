"""Every ending, produced for real, by both drivers."""

from pathlib import Path

import pytest

from core.compute import Ending
from gateways.compute.supervisor import verdict
from tests.gateways.compute.machine import OUTPUT, Machine

MIB = 1 << 20


def test_supervisors_know_every_ending_by_its_name():
    words = {value for name, value in vars(verdict).items() if name.isupper() and isinstance(value, str)}
    assert words == {ending.value for ending in Ending}


def test_zero_is_finished_with_output_log_and_times(machine: Machine):
    status = machine.run(f"echo hello; echo wrong >&2; echo model > {OUTPUT}/model; mkdir {OUTPUT}/sub")
    assert (status.ending, status.exit_code) == (Ending.FINISHED, 0)
    assert status.started_at is not None and status.ended_at is not None
    assert status.started_at <= status.ended_at
    assert (Path(status.output_path) / "model").read_text() == "model\n"
    assert "hello\n" in machine.log() and "wrong\n" in machine.log()


def test_another_code_is_crashed(machine: Machine):
    status = machine.run("exit 3")
    assert (status.ending, status.exit_code) == (Ending.CRASHED, 3)


def test_a_signal_of_its_own_is_crashed(machine: Machine):
    # The shell in the middle keeps the signalled process from being process 1 of a container, which ignores it.
    status = machine.run("sh -c 'kill -SEGV $$'; exit $?")
    assert (status.ending, status.exit_code) == (Ending.CRASHED, 139)


def test_an_entry_point_that_is_not_there_is_crashed(machine: Machine):
    image = machine.build('ENTRYPOINT ["/no/such/program"]', tag="nothing")
    status = machine.run("", image=image)
    assert (status.ending, status.exit_code) == (Ending.CRASHED, 127)


def test_sigkill_of_unknown_origin_is_killed(machine: Machine):
    status = machine.run("sh -c 'kill -KILL $$'; exit $?")
    assert (status.ending, status.exit_code) == (Ending.KILLED, 137)


def test_when_time_is_up_what_was_saved_is_there(machine: Machine):
    status = machine.run(f"echo best > {OUTPUT}/checkpoint; sleep 100", limits={"seconds": 1.0})
    assert status.ending is Ending.TIME_UP
    assert status.started_at is not None and status.ended_at is not None
    assert 1.0 <= (status.ended_at - status.started_at).total_seconds() < 10.0
    assert (Path(status.output_path) / "checkpoint").read_text() == "best\n"


def test_memory_hog_is_out_of_memory(machine: Machine):
    # `tail` keeps its whole input as long as there is no line end.
    status = machine.run("head -c 300000000 /dev/zero | tail > /dev/null; exit 1", limits={"memory_bytes": 64 * MIB})
    assert status.ending is Ending.OUT_OF_MEMORY


def test_temporary_files_count_as_memory(machine: Machine):
    status = machine.run("head -c 90000000 /dev/zero > /tmp/flood || exit 9", limits={"memory_bytes": 64 * MIB})
    assert status.ending in (Ending.OUT_OF_MEMORY, Ending.CRASHED)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"while :; do head -c 200000 /dev/zero > {OUTPUT}/$((i=i+1)); done; sleep 100", id="many files"),
        pytest.param(f"head -c 3000000 /dev/zero > {OUTPUT}/one; exit 0", id="one file"),
        pytest.param(f"i=0; cd {OUTPUT}; while [ $i -lt 30 ]; do mkdir d; cd d; i=$((i+1)); done", id="nested folders"),
    ],
)
def test_output_flood_is_stopped(machine: Machine, script: str):
    status = machine.run(script, limits={"output_bytes": MIB})
    assert status.ending is Ending.OUTPUT_TOO_LARGE


def test_log_flood_is_bounded_and_costs_no_run(machine: Machine):
    script = "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done; echo last"
    status = machine.run(script, limits={"log_bytes": 100_000})
    assert status.ending is Ending.FINISHED
    assert Path(status.log_path).stat().st_size <= 100_000
    assert machine.log().startswith("[older output was dropped here]\n") and machine.log().endswith("last\n")


def test_fork_bomb_is_held(machine: Machine):
    script = "i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); done; echo all of them"
    status = machine.run(script, limits={"pids": 20, "seconds": 5.0})
    assert status.ending is not Ending.FINISHED
    assert "all of them" not in machine.log()


def test_background_processes_end_with_the_entry_point(machine: Machine):
    status = machine.run(f"(sleep 2; echo late > {OUTPUT}/late) & exit 0")
    assert status.ending is Ending.FINISHED
    assert list(Path(status.output_path).iterdir()) == []


@pytest.mark.docker
def test_an_image_that_is_gone_is_ours(containers: Machine):
    status = containers.run("true", image="god-test/no-such-image:latest")
    assert status.ending is Ending.REFUSED
    assert "no-such-image" in status.detail


def test_peak_memory_is_told(machine: Machine):
    status = machine.run("head -c 60000000 /dev/zero | tail | sleep 2", limits={"memory_bytes": 256 * MIB})
    assert status.peak_memory_bytes is not None
    assert 30 * MIB < status.peak_memory_bytes <= 256 * MIB
