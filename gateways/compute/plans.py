"""What the plans of both drivers share."""

import os
from pathlib import Path
from typing import Any

from core.compute import ContainerSpec, Mount
from core.errors import PrerequisiteError
from gateways.compute.runs import Plan

SANDBOX_UID = 64700
"""User and group that sandboxes run as where we are root; no account has it."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS", "RAYON_NUM_THREADS")


def sandbox_uid() -> int | None:
    """The user that hostile code runs as on this machine; None where it has to be our own."""
    return SANDBOX_UID if os.geteuid() == 0 else None


def readable_input(mount: Mount) -> Path:
    """Raises PrerequisiteError for an input that is not there, or that the sandbox's user could not read."""
    path = Path(mount.source)
    if not path.exists():
        raise PrerequisiteError(f"input {path} is not there")
    needed = 0o005 if path.is_dir() else 0o004
    if sandbox_uid() is not None and path.stat().st_mode & needed != needed:
        raise PrerequisiteError(f"input {path} must be readable by everybody: the sandbox is nobody in particular")
    return path.resolve()


def base_environment(spec: ContainerSpec) -> dict[str, str]:
    """What every sandboxed process finds, under what its image and its caller set."""
    threads = str(max(1, int(spec.limits.cpus)))
    environment = {"HOME": "/tmp", "TMPDIR": "/tmp", "USER": "miner", "LANG": "C.UTF-8"}  # noqa: S108
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return environment | dict.fromkeys(_THREADS, threads) | {"CUDA_VISIBLE_DEVICES": ",".join(spec.devices)}


def plan_of(spec: ContainerSpec, driver: str, sandbox: dict[str, Any], notices: tuple[str, ...] = ()) -> Plan:
    limits = spec.limits
    return Plan(
        driver=driver,
        seconds=limits.seconds,
        memory_bytes=limits.memory_bytes,
        cpus=limits.cpus,
        pids=limits.pids,
        output_bytes=limits.output_bytes,
        log_bytes=limits.log_bytes,
        output_owner=sandbox_uid(),
        sandbox=sandbox,
        notices=notices,
    )
