"""Plans runs for a container engine, through the Docker SDK (Docker's socket, or Podman's by DOCKER_HOST).

Covered: no network, read-only root with a bounded /tmp and /dev/shm in memory, one writable output, no capabilities,
no-new-privileges, the engine's own filter of system calls, a user that nobody else is, limits of memory (no swap),
CPU and processes, GPUs by UUID, no log kept by the engine. Building runs the miner's RUN lines as the engine does
them: with its network, its user and its time, which is bounded.

Not covered: the engine's own holes and the kernel's; side channels; what a GPU's memory keeps from the run before.
A container outlives its supervisor until somebody asks for the run's status. With a rootless engine the output belongs
to the engine's sub-user, and only the engine can take it down.
"""

import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from docker.errors import APIError, BuildError, ImageNotFound
from requests.exceptions import RequestException

from core.compute import BuildFailure, ContainerSpec
from core.errors import Fault, PrerequisiteError, UnreachableError
from gateways.compute.engine import connected
from gateways.compute.plans import base_environment, plan_of, readable_input, sandbox_uid
from gateways.compute.runs import Plan, Run, State
from gateways.compute.supervisor.cgroups import BACKGROUND_SHARES
from gateways.compute.supervisor.container import end_leftovers

BUILD_SECONDS = 1800
BUILD_LOG_BYTES = 1 << 16
BUILD_MEMORY_BYTES = 8 << 30
BUILD_COMMAND = "docker build -t {image} -f dockerfiles/evaluator-text.dockerfile ."
_NOT_THE_MINERS = (
    "connection refused",
    "no such host",
    "i/o timeout",
    "tls handshake",
    "toomanyrequests",
    "no space left",
)
"""Words of the engine for a registry that it does not reach, or a machine that is full."""


class ContainerDriver:
    """Runs in containers of the engine; images are the engine's."""

    name = "containers"

    def __init__(self, evaluator_image: str, folder: Path) -> None:
        self._evaluator_image = evaluator_image
        self._folder = folder

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        if _has_image(tag):
            return tag
        if not (source / dockerfile).is_file():
            return BuildFailure(reason=f"{dockerfile}: there is no such file in the repository", fault=Fault.MINER)
        return _build(source, dockerfile, tag)

    def trusted_image(self, name: str) -> str:
        if name != "evaluator-text":
            raise PrerequisiteError(f"there is no image {name!r} of ours; known: evaluator-text")
        if not _has_image(self._evaluator_image):
            command = BUILD_COMMAND.format(image=self._evaluator_image)
            raise PrerequisiteError(f"the engine has no image {self._evaluator_image}; build it: {command}")
        return self._evaluator_image

    def plan(self, spec: ContainerSpec, run: Run) -> Plan:
        sandbox = {"create": {"name": self._container_name(spec.name), **_create_arguments(spec, run)}}
        return plan_of(spec, self.name, sandbox)

    def end_leftovers(self, state: State) -> None:
        end_leftovers(state.sandbox)

    def _container_name(self, run_name: str) -> str:
        """Unique on the engine, which other state folders may use as well."""
        return f"god-{sha256(str(self._folder).encode()).hexdigest()[:8]}-{run_name}"


def _create_arguments(spec: ContainerSpec, run: Run) -> dict[str, Any]:
    limits = spec.limits
    uid = sandbox_uid()
    user = f"{uid}:{uid}" if uid is not None else f"{os.getuid()}:{os.getgid()}"
    return {
        "image": spec.image,
        "command": list(spec.command) or None,
        "environment": base_environment(spec) | spec.environment,
        "user": user,
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={limits.memory_bytes // 2}"},  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "nano_cpus": int(limits.cpus * 1e9),
        "cpu_shares": BACKGROUND_SHARES,
        "pids_limit": limits.pids,
        "shm_size": limits.shm_bytes,
        "ulimits": [_ulimit("core", 0), _ulimit("fsize", limits.output_bytes)],
        "mounts": [*_inputs(spec), _mount(run.output, spec.output_target, read_only=False)],
        "device_requests": _gpus(spec),
        "log_config": {"Type": "none", "Config": {}},
        "init": True,
        "stdin_open": False,
        "labels": {"god.run": spec.name},
    }


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}


def _inputs(spec: ContainerSpec) -> list[dict[str, Any]]:
    return [_mount(readable_input(mount), mount.target, read_only=True) for mount in spec.inputs]


def _mount(source: Path, target: str, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


def _gpus(spec: ContainerSpec) -> list[dict[str, Any]]:
    if not spec.devices:
        return []
    return [{"Driver": "nvidia", "DeviceIDs": list(spec.devices), "Capabilities": [["gpu"]]}]


def _has_image(tag: str) -> bool:
    try:
        with connected() as client:
            client.images.get(tag)
    except ImageNotFound:
        return False
    except (APIError, RequestException) as e:
        raise UnreachableError(f"the container engine does not answer: {e}") from e
    return True


def _build(source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
    deadline = time.monotonic() + BUILD_SECONDS
    lines: list[str] = []
    try:
        for line in _build_lines(source, dockerfile, tag):
            lines.append(line)
            if time.monotonic() > deadline:
                return _failure(f"the build took longer than {BUILD_SECONDS} s", lines)
    except BuildError as e:
        return _failure(e.msg, lines)
    except APIError as e:
        return _failure(e.explanation or str(e), lines)
    except RequestException as e:
        if time.monotonic() > deadline:
            return _failure(f"the build took longer than {BUILD_SECONDS} s", lines)
        raise UnreachableError(f"the container engine went away while it built {tag}: {e}") from e
    return tag if _has_image(tag) else _failure("the build ended without an image", lines)


def _build_lines(source: Path, dockerfile: str, tag: str) -> Iterator[str]:
    """What the engine says while it builds. Raises BuildError."""
    with connected(timeout=BUILD_SECONDS) as client:
        stream = client.api.build(
            path=str(source),
            dockerfile=dockerfile,
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            container_limits={"memory": BUILD_MEMORY_BYTES, "memswap": BUILD_MEMORY_BYTES},
        )
        for message in stream:
            if "error" in message:
                raise BuildError(message["error"], iter(()))
            yield message.get("stream", "")


def _failure(reason: str, lines: list[str]) -> BuildFailure:
    ours = any(words in reason.lower() for words in _NOT_THE_MINERS)
    log = "".join(lines)[-BUILD_LOG_BYTES:]
    return BuildFailure(reason=reason.strip()[-500:], fault=Fault.PLATFORM if ours else Fault.MINER, log=log)
