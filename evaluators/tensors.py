"""Tensors of safetensors files, by name: headers are checked at once, values are read on demand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from core.safetensors import TensorInfo, read_header

WHOLE, SHARDS = "model.safetensors", "model-*-of-*.safetensors"
MOST_HEADER_BYTES = 1 << 24
"""Of all files together; 100,000 tensors take about that much."""


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights: the whole one, else its shards; none when there are neither."""
    whole = folder / WHOLE
    return [whole] if whole.is_symlink() or whole.exists() else sorted(folder.glob(SHARDS))


def shown(name: str) -> str:
    """A name of the miner's making, safe to print."""
    return repr(name[:120])


class TensorFiles:
    """Raises ValueError for whatever is wrong with the files, naming it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.size_bytes = sum(path.stat().st_size for path in paths)
        self.infos: dict[str, TensorInfo] = {}
        self._files: dict[str, Any] = {}
        self._header_bytes_left = MOST_HEADER_BYTES
        for path in paths:
            self._add(path)

    def _add(self, path: Path) -> None:
        infos = self._header(path)
        twice = sorted(infos.keys() & self.infos.keys())
        if twice:
            raise ValueError(f"tensor {shown(twice[0])} is in two files, the second is {path.name}")
        try:
            file = safe_open(path, framework="pt")
        except SafetensorError as e:
            raise ValueError(f"{path.name} is not a sound safetensors file: {e}") from e
        self.infos |= infos
        self._files |= dict.fromkeys(infos, file)

    def _header(self, path: Path) -> dict[str, TensorInfo]:
        size = path.stat().st_size
        try:
            with path.open("rb") as stream:
                infos = read_header(stream, size, self._header_bytes_left)
        except ValueError as e:
            raise ValueError(f"{path.name} is not a sound safetensors file: {e}") from e
        self._header_bytes_left -= min((info.begin for info in infos.values()), default=size)
        return infos

    def read(self, name: str) -> torch.Tensor:
        """The tensor on the CPU, in the file's own dtype; it may share the file's memory."""
        tensor: torch.Tensor = self._files[name].get_tensor(name)
        return tensor
