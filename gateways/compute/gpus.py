"""Device files of NVIDIA GPUs by UUID, from the driver's own tables."""

import re
from pathlib import Path

from core.errors import PrerequisiteError

TABLES = Path("/proc/driver/nvidia/gpus")
_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")


def device_files(uuids: tuple[str, ...], tables: Path = TABLES, dev: Path = Path("/dev")) -> list[Path]:
    """The device files that a process needs to use these GPUs and no others.

    Raises PrerequisiteError when this machine has no such GPU.
    """
    if not uuids:
        return []
    minors = _minors(tables)
    missing = [uuid for uuid in uuids if uuid not in minors]
    if missing:
        raise PrerequisiteError(f"no GPU {', '.join(missing)} here: correct GOD_COMPUTE__GPUS (see nvidia-smi -L)")
    return [dev / f"nvidia{minors[uuid]}" for uuid in uuids] + [dev / n for n in _SHARED if (dev / n).exists()]


def _minors(tables: Path) -> dict[str, int]:
    found = {}
    for table in tables.glob("*/information"):
        facts = dict(re.findall(r"^([^:]+):\s*(.*?)\s*$", table.read_text(), re.MULTILINE))
        found[facts.get("GPU UUID", "")] = int(facts.get("Device Minor", -1))
    return found
