"""Checkpoints that are whole at every instant, and the one that is worth keeping."""

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from trainer.model import rank, trainable, weights_dtype


def publish(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder and put it in the place of `target`, so that `target` is whole at every instant.

    The first time the folder is renamed as one. Later its files are renamed over their elders, and of those only the
    one file of weights has changed. Everything is on the disk before its rename.
    """
    staging = target / ".staging" if target.exists() else target.with_name(f".{target.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write(staging)
    for path in [*staging.iterdir(), staging]:
        sync(path)
    if not target.exists():
        staging.rename(target)
    else:
        for path in sorted(staging.iterdir(), key=lambda path: path.suffix == ".safetensors"):
            path.replace(target / path.name)
        staging.rmdir()
        sync(target)
    sync(target.parent)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


class Keeper:
    """Keeps the best weights so far in the output folder."""

    def __init__(self, target: Path, base: Path, model_id: str, slack: float = 0.0) -> None:
        """`slack`: a later checkpoint may look so much worse than the best and still take its place."""
        self.target, self.base, self.model_id, self.slack = target, base, model_id, slack
        self.best, self.saves = math.inf, 0
        """The loss to beat: what is saved, or the base's own where that is known beforehand."""

    def offer(self, model: Any, loss: float = math.inf) -> bool:
        """Keep the model's weights if `loss` is the lowest yet; the first ones whatever it is."""
        finite = all(bool(torch.isfinite(weight).all()) for weight in trainable(model))
        if not finite or not (loss < self.best + self.slack or self.saves == 0):
            return False
        if rank() == 0:
            publish(self.target, lambda folder: self._write(model, folder))
        self.saves, self.best = self.saves + 1, min(self.best, loss)
        return True

    def _write(self, model: Any, folder: Path) -> None:
        """One file of weights, in the base's dtype, and the base's own small files; or a LoRA adapter."""
        if hasattr(model, "peft_config"):
            model.peft_config["default"].base_model_name_or_path = self.model_id
            model.save_pretrained(folder, save_embedding_layers=False)
            return
        dtype = weights_dtype(self.base)
        state = {name: weight.to(dtype) for name, weight in model.state_dict().items()}
        model.save_pretrained(folder, state_dict=state, max_shard_size="10TB")
        for file in self.base.iterdir():
            if file.suffix in {".json", ".txt", ".model", ".jinja"} and "index" not in file.name:
                shutil.copyfile(file, folder / file.name)
