"""The demo's base model: a small Llama of our own, pre-trained once and kept in the hub's folder of models."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.challenge import ModelInfo
from core.errors import PrerequisiteError
from core.value import Frozen, canonical_json, sha256_hex

MODEL_ID = "god/stdlib-tiny"
FOLDER = MODEL_ID.replace("/", "--")
MODEL_INFO = "model-info.json"


class Recipe(Frozen):
    """Everything that the base model depends on, its text apart."""

    python: str = sys.version.split()[0]
    """The library that is read."""
    vocabulary: int = 4096
    hidden: int = 192
    intermediate: int = 512
    layers: int = 4
    heads: int = 6
    positions: int = 512
    sequence: int = 256
    batch: int = 4
    steps: int = 450
    seconds: float = 60.0
    """Pre-training ends here at the latest, its schedule drawn together, so that slow machines wait no longer."""
    learning_rate: float = 2e-3
    seed: int = 0

    @property
    def revision(self) -> str:
        return sha256_hex(canonical_json(self))[:40]


class Progress(NamedTuple):
    done: float
    """0 to 1."""
    loss: float
    """Of the newest step, nats per token."""


def ensure(hub: Path, tell: Callable[[Progress], None]) -> ModelInfo:
    """The base model of this recipe and Python, made when it is not there yet; whole or not at all.

    Raises PrerequisiteError with the last words of a pre-training that failed.
    """
    recipe, folder = Recipe(), hub / "models" / FOLDER
    kept = _read_info(folder)
    if kept is not None and kept.revision == recipe.revision:
        return kept
    part = folder.with_name(f".{FOLDER}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _pretrain(recipe, part, tell)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return ModelInfo.model_validate_json((folder / MODEL_INFO).read_bytes())


def _read_info(folder: Path) -> ModelInfo | None:
    path = folder / MODEL_INFO
    return ModelInfo.model_validate_json(path.read_bytes()) if path.is_file() else None


def _pretrain(recipe: Recipe, into: Path, tell: Callable[[Progress], None]) -> None:
    """Run `demo.pretraining` as a process of its own: torch's memory goes when it ends."""
    command = [sys.executable, "-m", "demo.pretraining", str(into), recipe.model_dump_json()]
    log = into.with_suffix(".log")
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # spinning threads would starve our services
    with (
        log.open("w") as words,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True, env=os.environ | quiet) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            done, loss = line.split()
            tell(Progress(float(done), float(loss)))
    if process.returncode != 0:
        last = "\n".join(log.read_text().splitlines()[-5:])
        raise PrerequisiteError(
            f"the base model's pre-training ended with code {process.returncode}; see {log}:\n{last}"
        )
    log.unlink()
