"""What hostile code tries: each attempt runs for real, and has to fail."""

import os
import socket

import pytest

from core.compute import Ending
from gateways.compute.images import REPOSITORY
from gateways.compute.plans import SANDBOX_UID
from tests.gateways.compute.machine import OUTPUT, Machine


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/root/.bashrc", "/home", "/var/run", "/var/lib", "/boot", "/proc/kcore"]
)
def test_files_of_the_host_are_not_there(machine: Machine, path: str):
    status = machine.run(f"ls -R {path}/ | grep -v :$ | grep . && exit 8; head -c 9 {path} | grep . && exit 9; exit 0")
    assert status.ending is Ending.FINISHED, machine.log()


def test_our_repository_and_state_are_not_there(machine: Machine):
    paths = [REPOSITORY / "pyproject.toml", REPOSITORY / "gateways", REPOSITORY / "core", machine.folder / "compute"]
    machine.run("; ".join(f"[ -e {path} ] && echo seen {path}" for path in paths) + "; echo looked")
    assert "looked" in machine.log() and "seen" not in machine.log()


def test_another_runs_output_is_not_there(machine: Machine):
    machine.run(f"echo secret-of-the-first > {OUTPUT}/model", name="first")
    machine.run(f"ls -R /app; cat {machine.output('first')}/model; echo looked", name="second")
    assert "looked" in machine.log("second") and "secret-of-the-first" not in machine.log("second")


def test_the_network_is_not_there(machine: Machine):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        port = server.getsockname()[1]
        script = f"echo hello | (nc -w 1 127.0.0.1 {port} || busybox nc -w 1 127.0.0.1 {port}); cat /proc/net/dev"
        machine.run(script)
        with pytest.raises(TimeoutError):
            server.accept()
    interfaces = {line.split(":")[0].strip() for line in machine.log().splitlines() if ":" in line and "|" not in line}
    assert "lo" in interfaces and not interfaces & {"eth0", "ens3", "docker0"}


@pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/workspace", "/app", "/dev", "/proc/sys/kernel", "/cache"])
def test_only_output_and_temporary_folders_can_be_written(machine: Machine, place: str):
    given = machine.folder / "given"
    given.mkdir()
    given.chmod(0o777)
    inputs = ({"source": str(given), "target": "/cache"},)
    machine.run(f"(echo x > {place}/x) && echo wrote; (mkdir {place}/d) && echo wrote; echo tried", inputs=inputs)
    assert "tried" in machine.log() and "wrote" not in machine.log()
    assert list(given.iterdir()) == []


def test_temporary_folders_and_output_can_be_written(machine: Machine):
    status = machine.run(f"echo x > /tmp/x && echo x > $HOME/y && echo x > /dev/shm/z && echo x > {OUTPUT}/x")
    assert status.ending is Ending.FINISHED, machine.log()


def test_inputs_are_read_where_they_were_put(machine: Machine):
    (machine.folder / "models").mkdir()
    (machine.folder / "models" / "weights").write_text("weights\n")
    (machine.folder / "data.json").write_text("rows\n")
    inputs = (
        {"source": str(machine.folder / "models"), "target": "/cache/models/base"},
        {"source": str(machine.folder / "data.json"), "target": "/cache/datasets/task_train_data.json"},
    )
    machine.run("cat /cache/models/base/weights /cache/datasets/task_train_data.json", inputs=inputs)
    assert machine.log().endswith("weights\nrows\n")


def test_inputs_may_stand_beside_or_inside_the_output(machine: Machine):
    (machine.folder / "spec.json").write_text("spec\n")
    inputs = ({"source": str(machine.folder / "spec.json"), "target": "/job/inputs/spec.json"},)
    status = machine.run("cat /job/inputs/spec.json && echo r > /job/report.json", inputs=inputs, output_target="/job")
    assert status.ending is Ending.FINISHED, machine.log()
    assert (machine.output() / "report.json").read_text() == "r\n"


def test_no_rights_are_left(machine: Machine):
    machine.run("id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    facts = dict(line.split(":\t") for line in machine.log().splitlines() if ":\t" in line)
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert "\n0\n" not in f"\n{machine.log()}"


def test_nothing_can_be_mounted(machine: Machine):
    machine.run("mount -t tmpfs none /tmp && echo mounted; mount --bind / /tmp && echo mounted; echo tried")
    assert "tried" in machine.log() and "mounted" not in machine.log().replace("not mounted", "")


def test_processes_of_the_host_are_not_there(machine: Machine):
    machine.run(f"kill -9 {os.getpid()} && echo hit; kill -0 {os.getppid()} && echo hit; ls -d /proc/[0-9]* | wc -l")
    assert "hit" not in machine.log()
    assert int(next(line for line in machine.log().splitlines() if line.isdigit())) < 8


def test_the_environment_has_no_secrets(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GOD_DATABASE__DSN", "postgresql://secret-of-ours")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-ours")
    machine.run("env; cat /proc/*/environ", environment={"WANDB_MODE": "offline"})
    assert "WANDB_MODE=offline" in machine.log() and "secret-of-ours" not in machine.log()


def test_links_in_the_output_stay_links(machine: Machine):
    machine.run(f"ln -s /etc/shadow {OUTPUT}/link; ln -s / {OUTPUT}/root; mkfifo {OUTPUT}/pipe; chmod 000 {OUTPUT}")
    output = machine.output()
    assert (output / "link").is_symlink() and (output / "root").is_symlink()
    assert (machine.known().ending, sorted(os.listdir(output))) == (Ending.FINISHED, ["link", "pipe", "root"])


@pytest.mark.sandbox
def test_process_1_cannot_be_harmed_or_read(bubblewrap: Machine):
    script = """
python - <<'END'
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
    os.kill(1, number)
print("ptrace", libc.ptrace(16, 1, 0, 0))
try:
    resource.prlimit(1, resource.RLIMIT_CPU, (0, 0)); print("limited")
except PermissionError:
    print("no prlimit")
for name in ("mem", "environ", "fd"):
    try:
        open(f"/proc/1/{name}", "rb").read(1) if name != "fd" else os.readlink("/proc/1/fd/10"); print("read", name)
    except OSError:
        print("closed", name)
print("descriptors", sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
END
exit 5
"""
    status = bubblewrap.run(script)
    log = bubblewrap.log()
    assert (status.ending, status.exit_code) == (Ending.CRASHED, 5)
    assert "ptrace -1" in log and "no prlimit" in log and "read " not in log
    assert "descriptors [0, 1, 2]" in log


@pytest.mark.sandbox
def test_the_kernels_own_files_are_not_there(bubblewrap: Machine):
    bubblewrap.run("ls /sys && echo seen; echo x > /proc/sys/kernel/hostname && echo wrote; echo tried")
    assert "tried" in bubblewrap.log() and not {"seen", "wrote"} & set(bubblewrap.log().split())


@pytest.mark.sandbox
def test_no_namespace_can_be_made(bubblewrap: Machine):
    bubblewrap.run("unshare -U id && echo made; unshare -r id && echo made; unshare -n id && echo made; echo tried")
    assert "tried" in bubblewrap.log() and "made" not in bubblewrap.log()


@pytest.mark.sandbox
def test_outside_it_is_nobody_that_we_know(bubblewrap: Machine):
    """Where we are root: an ordinary user can only be itself."""
    bubblewrap.run(f"echo x > {OUTPUT}/x")
    expected = SANDBOX_UID if os.geteuid() == 0 else os.geteuid()
    assert (bubblewrap.output() / "x").stat().st_uid == expected


@pytest.mark.sandbox
def test_training_libraries_work_inside(bubblewrap: Machine):
    status = bubblewrap.run("python -c 'import torch; print(torch.ones(3).sum().item(), torch.get_num_threads())'")
    assert status.ending is Ending.FINISHED, bubblewrap.log()
    assert bubblewrap.log().endswith("3.0 1\n")


@pytest.mark.sandbox
def test_an_entry_in_the_output_cannot_lead_us_elsewhere(bubblewrap: Machine):
    """A folder that becomes a link while we measure must not be followed: `/` would be far too large."""
    script = f"cd {OUTPUT}; i=0; while [ $i -lt 300 ]; do mkdir d; rmdir d; ln -s / d; rm d; i=$((i+1)); done"
    assert bubblewrap.run(script, limits={"output_bytes": 1 << 20}).ending is Ending.FINISHED


def test_what_it_closes_we_can_read_back(machine: Machine):
    machine.run(f"cd {OUTPUT}; mkdir d; echo x > closed; echo y > d/y; chmod 000 closed d")
    assert (machine.output() / "closed").stat().st_mode & 0o400
    assert (machine.output() / "d").stat().st_mode & 0o700 == 0o700
