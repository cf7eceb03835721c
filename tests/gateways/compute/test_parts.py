"""The small parts that supervisors and plans are made of."""

import os
import platform
import struct
from pathlib import Path, PurePosixPath

import pytest

from core.errors import PrerequisiteError
from gateways.compute import seccomp
from gateways.compute.gpus import device_files
from gateways.compute.mounts import Bind, lay_out
from gateways.compute.supervisor import cgroups
from gateways.compute.supervisor.log import DROPPED, RollingLog
from gateways.compute.supervisor.output import MAX_ENTRIES, ExcessError, check_output, make_readable


def tree(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)
    return folder


def placed(arguments: list[str]) -> dict[str, str]:
    """target → source of every mount and link."""
    found = {}
    for i, word in enumerate(arguments):
        if word in ("--ro-bind", "--bind", "--symlink"):
            found[arguments[i + 2]] = arguments[i + 1]
    return found


def test_a_folder_is_bound_whole_when_nothing_is_below_it(tmp_path: Path):
    code = tree(tmp_path / "code", "w/a", "w/b")
    assert placed(lay_out("/s", [[Bind(code, PurePosixPath("/"))]], [], [])) == {"/s/w": f"{code}/w"}


def test_a_folder_with_a_mount_below_is_taken_apart(tmp_path: Path):
    code = tree(tmp_path / "code", "app/train.py", "app/lib/x", "app/checkpoints/old")
    output = Bind(tmp_path / "out", PurePosixPath("/app/checkpoints/t"), writable=True)
    arguments = lay_out("/s", [[Bind(code, PurePosixPath("/"))]], [output], [])
    assert placed(arguments) == {
        "/s/app/train.py": f"{code}/app/train.py",
        "/s/app/lib": f"{code}/app/lib",
        "/s/app/checkpoints/old": f"{code}/app/checkpoints/old",
        "/s/app/checkpoints/t": f"{tmp_path}/out",
    }
    folders = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--dir"]
    assert folders == ["/s/app", "/s/app/checkpoints"]


def test_layers_share_a_folder_and_the_upper_wins(tmp_path: Path):
    system = tree(tmp_path / "system", "local/bin/a", "local/bin/b", "lib/c")
    image = tree(tmp_path / "image", "usr/local/bin/a", "usr/local/bin/new")
    layers = [[Bind(system, PurePosixPath("/usr"))], [Bind(image, PurePosixPath("/"))]]
    assert placed(lay_out("/s", layers, [], [])) == {
        "/s/usr/lib": f"{system}/lib",
        "/s/usr/local/bin/b": f"{system}/local/bin/b",
        "/s/usr/local/bin/a": f"{image}/usr/local/bin/a",
        "/s/usr/local/bin/new": f"{image}/usr/local/bin/new",
    }


def test_links_of_a_layer_stay_links(tmp_path: Path):
    (tmp_path / "bin").symlink_to("usr/bin")
    assert placed(lay_out("/s", [[Bind(tmp_path / "bin", PurePosixPath("/bin"))]], [], [])) == {"/s/bin": "usr/bin"}


def test_a_log_keeps_its_newest_part(tmp_path: Path):
    log = RollingLog(tmp_path / "log", 1000)
    for number in range(1000):
        log.write(f"line {number}\n".encode())
        assert (tmp_path / "log").stat().st_size <= 1000
    log.close()
    content = (tmp_path / "log").read_bytes()
    assert content.startswith(DROPPED) and content.endswith(b"line 998\nline 999\n")
    assert log.last_line() == "line 999"


def test_one_write_larger_than_the_log_is_cut(tmp_path: Path):
    log = RollingLog(tmp_path / "log", 1000)
    log.write(b"x" * 5000 + b"end")
    log.close()
    assert (tmp_path / "log").stat().st_size <= 1000 and (tmp_path / "log").read_bytes().endswith(b"end")


def test_an_output_below_its_limit_passes(tmp_path: Path):
    tree(tmp_path, "a", "b/c", "b/d/e")
    check_output(tmp_path, 1 << 20)


def test_holes_count(tmp_path: Path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ExcessError, match="limit of 1048576 bytes"):
        check_output(tmp_path, 1 << 20)


def test_what_links_point_to_does_not_count(tmp_path: Path):
    (tmp_path / "root").symlink_to("/")
    (tmp_path / "self").symlink_to(tmp_path)
    check_output(tmp_path, 1 << 20)


def test_too_many_and_too_deep(tmp_path: Path):
    deep = tmp_path / "deep"
    Path(deep, *["d"] * 30).mkdir(parents=True)
    with pytest.raises(ExcessError, match="nested"):
        check_output(deep, 1 << 20)
    many = tmp_path / "many"
    many.mkdir()
    for number in range(MAX_ENTRIES + 1):
        os.mkfifo(many / str(number))
    with pytest.raises(ExcessError, match="files and folders"):
        check_output(many, 1 << 20)


def test_reading_rights_come_back_and_links_are_left_alone(tmp_path: Path):
    outside = tree(tmp_path / "outside", "file") / "file"
    outside.chmod(0o000)
    output = tree(tmp_path / "output", "a", "d/b")
    (output / "link").symlink_to(outside)
    (output / "d" / "b").chmod(0o000)
    (output / "d").chmod(0o000)
    make_readable(output)
    assert (output / "d").stat().st_mode & 0o700 == 0o700
    assert (output / "d" / "b").stat().st_mode & 0o700 == 0o600
    assert outside.stat().st_mode & 0o777 == 0


def control_files(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def test_version_2_limits_and_counts(tmp_path: Path):
    """On files that look like a version 2 hierarchy; this reads and writes what the kernel documents."""
    root = control_files(tmp_path, cgroup__controllers="cpu memory pids", cgroup__subtree_control="memory cpu pids")
    names = {"memory.max", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs", "cgroup.controllers"}
    group = control_files(root / "god-x", **{name.replace(".", "__"): "" for name in names})
    (root / "cgroup.subtree_control").chmod(0o444)
    made = cgroups.Cgroup(dict.fromkeys(cgroups.CONTROLLERS, group))
    made.limit(1 << 30, 1.5, 64)
    assert (group / "memory.max").read_text() == str(1 << 30)
    assert (group / "memory.swap.max").read_text() == "0"
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (group / "pids.max").read_text() == "64"
    control_files(group, memory__stat="anon 10\nfile 99\nshmem 5\n", memory__events="oom 1\noom_kill 2\n")
    assert (made.memory_bytes(), made.oom_kills()) == (15, 2)


def test_without_control_groups_there_is_an_empty_one(tmp_path: Path):
    group = cgroups.create(cgroups.places("god-x", tmp_path))
    group.limit(1, 1.0, 1)
    assert not group.has("memory") and (group.memory_bytes(), group.oom_kills()) == (0, 0)
    group.destroy()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_whole(machine: str):
    """Every jump lands inside, and the last instruction allows."""
    code = seccomp.program(machine)
    lines = list(struct.iter_unpack("=HBBI", code))
    assert len(lines) < 4096
    assert all(i + 1 + max(if_true, if_false) < len(lines) for i, (_, if_true, if_false, _) in enumerate(lines[:-1]))
    assert lines[-1] == (0x06, 0, 0, 0x7FFF0000)


def test_no_filter_for_an_unknown_processor():
    assert seccomp.program("sparc") == b""
    assert seccomp.program() == seccomp.program(platform.machine())


def test_gpus_are_found_by_uuid(tmp_path: Path):
    for minor, uuid in ((0, "GPU-a"), (3, "GPU-b")):
        control_files(
            tmp_path / f"0000:0{minor}", information=f"Model: \t H100\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
        )
    dev = tree(tmp_path / "dev", "nvidiactl", "nvidia-uvm")
    assert device_files(("GPU-b",), tmp_path, dev) == [dev / "nvidia3", dev / "nvidiactl", dev / "nvidia-uvm"]
    assert device_files((), tmp_path, dev) == []
    with pytest.raises(PrerequisiteError, match="GPU-c"):
        device_files(("GPU-c",), tmp_path, dev)
