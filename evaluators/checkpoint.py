"""A miner's checkpoint, hostile until it is shown to be a fine-tune of the base. Only tensors are taken from it.

    model.safetensors | model-*-of-*.safetensors          full weights; these win where an adapter lies beside them
    adapter_config.json + adapter_model.safetensors       a LoRA adapter, merged by us

Nothing else is opened: no config, no tokenizer, no template, no index, no pickle. Covered: form, size, header,
names, shapes, dtypes, finiteness, tensors that are no trained weights, the base handed back. Not covered: how the
weights came to be.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from core.errors import SubmissionError
from core.safetensors import TensorInfo
from evaluators.job import is_regular
from evaluators.loading import Base, base_state, in_own_memory
from evaluators.measurement import CheckpointForm
from evaluators.tensors import WHOLE, TensorFiles, shown, weight_files

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
FLOATS = frozenset({"F32", "F16", "BF16"})
MOST_FILES = 256
SLACK_BYTES = 1 << 24
"""For headers and tied embeddings written out."""


@dataclass(frozen=True)
class Found:
    form: CheckpointForm
    files: tuple[Path, ...]


class Fine(Protocol):
    """Fine-tuned tensors by the base's names."""

    @property
    def names(self) -> frozenset[str]:
        """Of those that may differ from the base's."""

    def tensor(self, name: str, original: torch.Tensor, /) -> torch.Tensor:
        """What became of the base's tensor `original`; float, or of the base's own dtype."""


def find(folder: Path) -> Found:
    """Which form the checkpoint has. Raises SubmissionError when it has none."""
    full = weight_files(folder)
    adapter = [folder / ADAPTER_CONFIG, folder / ADAPTER]
    if full:
        found = Found("full", tuple(full))
    elif all(path.is_symlink() or path.exists() for path in adapter):
        found = Found("lora", tuple(adapter))
    else:
        raise SubmissionError(
            f"the checkpoint has neither {WHOLE} (or its shards) nor {ADAPTER_CONFIG} with {ADAPTER}: "
            "save with safe serialization; nothing else is read"
        )
    if len(found.files) > MOST_FILES:
        raise SubmissionError(f"the checkpoint has {len(found.files)} shards, more than {MOST_FILES}: save larger ones")
    for path in found.files:
        if not is_regular(path):
            raise SubmissionError(f"{path.name} is a link or special file: save a regular file")
    return found


def open_tensors(files: tuple[Path, ...], most_bytes: int, bound: str) -> TensorFiles:
    """The tensors of the miner's files, headers checked. Raises SubmissionError."""
    size = sum(path.stat().st_size for path in files)
    if size > most_bytes:
        raise SubmissionError(f"the weights take {size} bytes, more than {bound} ({most_bytes} bytes)")
    try:
        return TensorFiles(files)
    except ValueError as e:
        raise SubmissionError(str(e)) from e


def check_tensor(name: str, info: TensorInfo, original: TensorInfo) -> None:
    """Raises SubmissionError when a tensor cannot stand for the base's."""
    if info.shape != original.shape:
        raise SubmissionError(
            f"tensor {shown(name)} has shape {list(info.shape)}; the base's has {list(original.shape)}: "
            f"{_remedy(info.shape, original.shape)}"
        )
    allowed = FLOATS | {original.dtype} if original.dtype in FLOATS else {original.dtype}
    check_dtype(name, info, frozenset(allowed))


def _remedy(shape: tuple[int, ...], original: tuple[int, ...]) -> str:
    rows_alone = len(shape) == len(original) == 2 and shape[1] == original[1]
    if rows_alone and shape[0] > original[0]:
        return f"cut off the {shape[0] - original[0]} rows added to the base's vocabulary"
    return "keep the base's architecture and vocabulary"


def check_dtype(name: str, info: TensorInfo, allowed: frozenset[str] = FLOATS) -> None:
    if info.dtype not in allowed:
        raise SubmissionError(
            f"tensor {shown(name)} has dtype {info.dtype}: save it as one of {', '.join(sorted(allowed))}"
        )


def require_finite(name: str, tensor: torch.Tensor) -> None:
    if not torch.isfinite(tensor).all():
        raise SubmissionError(f"tensor {shown(name)} has values that are not finite: the training diverged")


class FullWeights:
    def __init__(self, base: Base, files: tuple[Path, ...]) -> None:
        bound = f"twice the base's {base.files.size_bytes}"
        self._files = open_tensors(files, 2 * base.files.size_bytes + SLACK_BYTES, bound)
        self._check_names(base)
        for name, info in self._files.infos.items():
            check_tensor(name, info, base.files.infos[base.aliases.get(name, name)])
        for alias in base.aliases.keys() & self._files.infos.keys():
            self._check_alias(alias, base.aliases[alias])

        self.names = frozenset(base.names)

    def tensor(self, name: str, _original: torch.Tensor) -> torch.Tensor:
        return self._files.read(name)

    def _check_names(self, base: Base) -> None:
        given, wanted = self._files.infos.keys(), set(base.names)
        if missing := sorted(wanted - given):
            raise SubmissionError(
                f"tensor {shown(missing[0])} of the base is missing ({len(missing)} in all): save every weight"
            )
        if extra := sorted(given - wanted - base.aliases.keys()):
            raise SubmissionError(
                f"tensor {shown(extra[0])} is not of the base ({len(extra)} in all): keep the base's architecture"
            )

    def _check_alias(self, alias: str, name: str) -> None:
        if not torch.equal(self._files.read(alias).float(), self._files.read(name).float()):
            raise SubmissionError(f"the base ties {alias} to {name}: leave {alias} out, or save it equal")


def changed_tensors(base: Base, fine: Fine) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that a fine-tune gives, by the base's names; on the CPU, finite, in the fine-tune's own dtype.

    Raises:
        SubmissionError: not finite, or not a fine-tune: after rounding to the base's dtype nothing has changed. The
            latter is known only at the end.
    """
    changed = False
    for name in (name for name in base.names if name in fine.names):
        original = base.read(name)
        tensor = fine.tensor(name, original)
        require_finite(name, tensor)
        same = torch.equal(tensor.to(original.dtype), original)
        if name in base.fixed and not same:
            raise SubmissionError(f"tensor {shown(name)} is no trained weight and differs from the base's: keep it")
        changed |= not same
        yield name, tensor
    if not changed:
        raise SubmissionError("not a fine-tune: the weights are the base model's")


def fine_tuned(base: Base, fine: Fine, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """All of the fine-tuned model's tensors in `dtype`, by the base's names. Raises SubmissionError."""
    changed = {name: in_own_memory(tensor, dtype) for name, tensor in changed_tensors(base, fine)}
    return base_state(base, dtype) | changed
