"""Plans runs for bubblewrap: which files, which rights, which command. No daemon, no image, this machine's kernel.

Two bubblewraps, one inside the other. The outer, as the user we are, lays out the sandbox's root from places that only
we may enter (the interpreter may lie below /root). The inner, as another user where we are root, takes the rights away.

Covered: own user, network (loopback alone), process, IPC, host name, control group and mount namespaces; no
capabilities, no-new-privileges, no further user namespaces; a filter of system calls (`seccomp.py`); a read-only root
of the system's /usr, the evaluation environment, the image's files and the inputs; one writable output; bounded /tmp
and /dev/shm; none of our environment, descriptors, processes or files. Limits: `supervisor/`.

Not covered: the kernel is shared, so a hole in it is a hole in the sandbox. /usr is the host's, and all may be read.
Without writable control groups memory is only sampled and CPU time is left to the scheduler. Disk and memory bandwidth,
side channels, and what a GPU's memory keeps from the run before.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

from core.compute import BuildFailure, ContainerSpec
from core.errors import PrerequisiteError
from gateways.compute import seccomp
from gateways.compute.gpus import device_files
from gateways.compute.images import Image, ImageFolder
from gateways.compute.mounts import Bind, lay_out
from gateways.compute.plans import base_environment, plan_of, readable_input, sandbox_uid
from gateways.compute.runs import Plan, Run, State
from gateways.compute.supervisor.bubblewrap import SECCOMP, end_leftovers

STAGE = "/stage"
LAUNCHER = PurePosixPath("/run/sandbox/launcher.py")
INSIDE_UID = 1000
OLDEST = (0, 8)
_PYTHON = ("python", "python3", "python3.11")
_SPECIAL = tuple(map(PurePosixPath, ("/proc", "/dev", "/tmp")))  # noqa: S108
_SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")))
_ETC = tuple(map(Path, ("/etc/ld.so.cache", "/etc/alternatives")))
_OWN_ETC = {
    "passwd": f"root:x:0:0::/:/bin/false\nminer:x:{INSIDE_UID}:{INSIDE_UID}::/tmp:/bin/sh\n",
    "group": f"root:x:0:\nminer:x:{INSIDE_UID}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n",
}


class BubblewrapDriver:
    """Runs by bubblewrap; images are stand-ins in a folder."""

    name = "bubblewrap"

    def __init__(self, folder: Path) -> None:
        self._images = ImageFolder(folder / "images")

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        return self._images.build(source, dockerfile, tag)

    def trusted_image(self, name: str) -> str:
        return self._images.trusted(name)

    def plan(self, spec: ContainerSpec, run: Run) -> Plan:
        """Raises PrerequisiteError: no usable bubblewrap, no such image, or an input that is not there."""
        require_bubblewrap()
        image = self._images.load(spec.image)
        sandbox = {
            "command": _command(spec, image, Path(spec.image, "rootfs"), run),
            "job": {
                "argv": _argv(spec, image),
                "environment": _environment(spec, image),
                "workdir": image.workdir,
            },
            "seccomp": seccomp.program().hex(),
        }
        return plan_of(spec, self.name, sandbox, notices=image.notices)

    def end_leftovers(self, state: State) -> None:
        end_leftovers(state.sandbox)


@cache
def require_bubblewrap() -> None:
    """Raises PrerequisiteError unless both bubblewraps work here."""
    program = shutil.which("bwrap")
    if program is None:
        raise PrerequisiteError("bubblewrap is not installed: apt-get install bubblewrap")
    words = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(map(int, re.findall(r"\d+", words)[:2]))
    if version < OLDEST:
        raise PrerequisiteError(f"{words.strip() or program} is too old: bubblewrap 0.8 or newer is needed")
    root = lay_out(STAGE, [_system()], [], _SPECIAL)
    trial = [*_outer([]), *root, "--", *_other_user(), *_inner(None, 1 << 20, 1 << 20, []), "--", "/bin/true"]
    outcome = subprocess.run(trial, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise PrerequisiteError(
            f"bubblewrap does not work here: {outcome.stderr.strip()}. Unprivileged user namespaces must be allowed: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 kernel.unprivileged_userns_clone=1"
        )


def _command(spec: ContainerSpec, image: Image, rootfs: Path, run: Run) -> list[str]:
    gpus = device_files(spec.devices)
    output = PurePosixPath(spec.output_target)
    extra = [Bind(run.output, output, writable=True), *_inputs(spec), *_own_files(run)]
    ours = [Bind(Path(mount.source), PurePosixPath(mount.target)) for mount in image.mounts]
    layers = [_system(), _environments(), [Bind(rootfs, PurePosixPath("/"))], ours]
    root = lay_out(STAGE, layers, extra, _SPECIAL)
    inner = _inner(output, spec.limits.shm_bytes, _tmp_bytes(spec), gpus)
    python = os.path.realpath(Path(sys.prefix, "bin", "python"))
    return [*_outer(gpus), *root, "--", *_other_user(), *inner, "--", python, "-I", "-S", "-B", str(LAUNCHER)]


def _outer(gpus: list[Path]) -> list[str]:
    """A root that holds no more than the inner bubblewrap needs, and the stage.

    In a process namespace of its own, for its death to be everyone's: the signal of a dying parent does not reach a
    child of another user.
    """
    arguments = ["bwrap", "--die-with-parent", "--unshare-pid"]
    arguments += ["--dev", "/dev", "--bind", "/proc", "/proc", "--dir", "/tmp"]  # noqa: S108
    arguments += [word for gpu in gpus for word in ("--dev-bind", str(gpu), str(gpu))]
    return arguments + lay_out("", [_system()], [], [PurePosixPath(STAGE)])


def _other_user() -> list[str]:
    uid = sandbox_uid()
    if uid is None:
        return []
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]


def _inner(output: PurePosixPath | None, shm_bytes: int, tmp_bytes: int, gpus: list[Path]) -> list[str]:
    arguments = ["bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    arguments += ["--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--as-pid-1", "--clearenv"]
    arguments += ["--cap-drop", "ALL", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--hostname", "sandbox"]
    arguments += ["--ro-bind", STAGE, "/"]
    if output is not None:
        arguments += ["--bind", f"{STAGE}{output}", str(output)]
    arguments += ["--proc", "/proc", "--dev", "/dev", *_tmpfs("/dev/shm", shm_bytes)]  # noqa: S108
    arguments += [word for gpu in gpus for word in ("--dev-bind", str(gpu), str(gpu))]
    arguments += ["--remount-ro", "/dev", *_tmpfs("/tmp", tmp_bytes), "--chdir", "/"]  # noqa: S108
    if output is None:
        return arguments
    return [*arguments, *_not_hidden_by_tmp(), *(["--seccomp", str(SECCOMP)] if seccomp.program() else [])]


def _not_hidden_by_tmp() -> list[str]:
    """An environment below /tmp, as in a checkout there, shows through the fresh /tmp again."""
    below = [bind for bind in _environments() if bind.target.is_relative_to("/tmp")]  # noqa: S108
    return [word for bind in below for word in ("--ro-bind", f"{STAGE}{bind.target}", str(bind.target))]


def _tmpfs(path: str, size: int) -> list[str]:
    return ["--perms", "1777", "--size", str(size), "--tmpfs", path]


def _tmp_bytes(spec: ContainerSpec) -> int:
    """The folder for temporary files lies in memory: at most half of it."""
    return max(1 << 20, spec.limits.memory_bytes // 2)


def _system() -> list[Bind]:
    return [Bind(path, PurePosixPath(path)) for path in (*_SYSTEM, *_ETC) if path.exists()]


def _environments() -> list[Bind]:
    """The virtual environment, and every folder that its interpreter's links lead through."""
    prefixes = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_prefix).resolve()]
    program = Path(sys.prefix, "bin", "python")
    while program.is_symlink():
        program = program.parent / program.readlink()
        prefixes.append(Path(os.path.normpath(program)).parent.parent)
    wanted = dict.fromkeys(prefix for prefix in prefixes if prefix != Path("/"))
    return [Bind(prefix.resolve(), PurePosixPath(prefix)) for prefix in wanted if not _is_in_system(prefix)]


def _is_in_system(path: Path) -> bool:
    return any(path.is_relative_to(each) for each in _SYSTEM)


def _inputs(spec: ContainerSpec) -> list[Bind]:
    inputs = sorted(spec.inputs, key=lambda mount: mount.target.count("/"))
    return [Bind(readable_input(mount), PurePosixPath(mount.target)) for mount in inputs]


def _own_files(run: Run) -> list[Bind]:
    """Our launcher, and an /etc without anything of the host's users."""
    etc = run.folder / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    for name, content in _OWN_ETC.items():
        (etc / name).write_text(content)
    launcher = Path(__file__).parent / "supervisor" / "launcher.py"
    return [Bind(launcher, LAUNCHER), *(Bind(etc / name, PurePosixPath("/etc", name)) for name in _OWN_ETC)]


def _argv(spec: ContainerSpec, image: Image) -> list[str]:
    """As Docker puts it together; wherever an image keeps its Python, here it is the environment's."""
    argv = [*image.entrypoint, *(spec.command or image.command)]
    first = PurePosixPath(argv[0])
    if first.is_absolute() and first.name in _PYTHON:
        argv[0] = str(Path(sys.prefix, "bin", "python"))
    return argv


def _environment(spec: ContainerSpec, image: Image) -> dict[str, str]:
    merged = base_environment(spec) | image.environment | spec.environment
    path = merged.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return merged | {"PATH": f"{Path(sys.prefix, 'bin')}:{path}"}
