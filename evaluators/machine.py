"""This process, set up so that the same work on the same machine gives the same bytes."""

import gc
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from evaluators.lean import OFFLINE

os.environ.update(OFFLINE)

import torch
import transformers


@dataclass(frozen=True)
class Device:
    """Where and in which dtype models are measured: bfloat16 on a GPU, float32 on a CPU."""

    device: torch.device
    dtype: torch.dtype
    tile: int = 64
    """Tokens in one matrix product."""
    budget: int = 2048
    """Tokens in one forward pass, before a lack of memory makes them fewer."""
    workers: int = 1
    """Forward passes at a time, each on a thread of its own."""


def prepare() -> Device:
    """One thread for each kernel; deterministic algorithms alone; full float32 products.

    OMP_NUM_THREADS, else 1, says how many forward passes run at a time: no result depends on it.
    """
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # all that is allocated is written before it is read
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if torch.cuda.is_available():
        return Device(torch.device("cuda"), torch.bfloat16, tile=2048, budget=16384, workers=1)
    workers = int(os.environ.get("OMP_NUM_THREADS", "1"))
    return Device(torch.device("cpu"), torch.float32, workers=workers)


def is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def free(device: Device) -> None:
    """Give back what nobody uses any more."""
    gc.collect()
    if device.device.type == "cuda":
        torch.cuda.empty_cache()


def versions(device: Device) -> dict[str, str]:
    """What a result depends on beside its inputs."""
    on_gpu = device.device.type == "cuda"
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {_processor()}",
        "threads": str(device.workers),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "dtype": str(device.dtype).removeprefix("torch."),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
