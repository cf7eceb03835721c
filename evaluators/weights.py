"""The one model in memory: the base, into which one fine-tune after another is written and taken out again.

Before a fine-tune is written, whatever the last one changed and it does not is made the base's again. So a model has
the same bytes as if it had been loaded alone, and an adapter costs one pass over the tensors that it changes.
"""

from collections.abc import Callable
from typing import Any

import torch

from evaluators.checkpoint import Fine, changed_tensors, fine_tuned
from evaluators.loading import Base, base_state, build_model
from evaluators.machine import Device


class Weights:
    def __init__(self, base: Base, device: Device, built: Callable[[Any], None]) -> None:
        """`built` is called with the model whenever it is made anew."""
        self._base, self._device, self._built = base, device, built
        self._dirty: set[str] = set()
        self._build(base_state(base, device.dtype))

    def load(self, fine: Fine) -> None:
        """Become the fine-tune. Raises SubmissionError; the next `load` or `restore` makes good what it leaves."""
        if not self._in_place:
            self._dirty = set(self._base.names)
            self._build(fine_tuned(self._base, fine, self._device.dtype))
            return
        self._take_back(self._dirty - fine.names)
        for name, tensor in changed_tensors(self._base, fine):
            self._dirty.add(name)
            self._tensors[name].data.copy_(tensor)

    def restore(self) -> None:
        """Become the base."""
        if self._dirty and not self._in_place:
            self._build(base_state(self._base, self._device.dtype))
        self._take_back(set(self._dirty))

    def _build(self, state: dict[str, torch.Tensor]) -> None:
        self.model: Any = build_model(self._base, state, self._device)
        self._tensors = dict(self.model.named_parameters(remove_duplicate=False))
        self._tensors |= dict(self.model.named_buffers(remove_duplicate=False))
        self._in_place = set(self._base.names) <= self._tensors.keys()
        """Not where transformers renames or joins what the files hold, as for mixtures of experts."""
        self._built(self.model)

    def _take_back(self, names: set[str]) -> None:
        if self._in_place:
            for name in names:
                self._tensors[name].data.copy_(self._base.read(name))
        self._dirty -= names
