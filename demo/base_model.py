"""The demo's base model: a small Llama of our own, pre-trained once and kept in the hub's folder of models."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.errors import PrerequisiteError
from core.value import Frozen

MODEL_ID = "god/stdlib-tiny"
FOLDER = MODEL_ID.replace("/", "--")
MADE_FROM = "recipe"
"""File beside the model's that says what it was made from; its name has no ending that the hub would take."""


class Recipe(Frozen):
    """Everything that the base model depends on, its text apart."""

    python: str = sys.version.split()[0]
    """The library that is read."""
    text: int = 1
    """Version of what is taken from it, datasets included."""
    vocabulary: int = 4096
    hidden: int = 192
    intermediate: int = 512
    layers: int = 4
    heads: int = 6
    positions: int = 512
    sequence: int = 256
    batch: int = 4
    steps: int = 400
    seconds: float = 50.0
    """Pre-training ends here at the latest, its schedule drawn together, so that slow machines wait no longer."""
    learning_rate: float = 2e-3
    seed: int = 0


RECIPE = Recipe()


class Progress(NamedTuple):
    done: float
    """0 to 1."""
    loss: float
    """Of the newest step, nats per token."""


def is_made(hub: Path, recipe: Recipe = RECIPE) -> bool:
    """The hub has the base model of this recipe and Python."""
    made_from = hub / "models" / FOLDER / MADE_FROM
    return made_from.is_file() and made_from.read_text() == recipe.model_dump_json()


def ensure(hub: Path, tell: Callable[[Progress], None], recipe: Recipe = RECIPE) -> None:
    """Make the base model unless it is there; whole or not at all.

    Raises PrerequisiteError with the last words of a pre-training that failed.
    """
    if is_made(hub, recipe):
        return
    folder = hub / "models" / FOLDER
    part = hub / f"{FOLDER}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _pretrain(recipe, part, tell)
    (part / MADE_FROM).write_text(recipe.model_dump_json())
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    part.rename(folder)


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
