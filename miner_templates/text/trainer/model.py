"""The model: loading it, adapters, the base beside it, a moving average; and processes that agree."""

import copy
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from trainer import recipe
from trainer.clock import Method


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def agree(value: float, how: str = "MAX") -> float:
    """The largest (or MIN, or SUM) of all processes' values; a process alone agrees with itself."""
    if "RANK" not in os.environ:
        return value
    told = torch.tensor(value, dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    torch.distributed.all_reduce(told, op=getattr(torch.distributed.ReduceOp, how))
    return float(told)


def weights_dtype(base: Path) -> torch.dtype:
    config = json.loads((base / "config.json").read_bytes())
    return getattr(torch, config.get("dtype") or config.get("torch_dtype") or "bfloat16")


def count_parameters(base: Path) -> float:
    """From the size of the weights on disk: nothing is loaded."""
    return sum(file.stat().st_size for file in base.glob("*.safetensors")) / weights_dtype(base).itemsize


def memory_of_one_device() -> float:
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def load_model(base: Path, method: Method, lora_rank: int = recipe.LORA_RANK) -> Any:
    """The base, ready to be trained: float32 with every weight free, or bfloat16 (on GPUs) under LoRA adapters."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    cuda = torch.cuda.is_available()
    placed = "auto" if method.sharded else int(os.environ.get("LOCAL_RANK", "0")) if cuda else None
    dtype = torch.bfloat16 if method.lora and cuda else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, device_map=placed)
    model.config.use_cache = False
    if cuda:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return with_adapters(model.train(), lora_rank) if method.lora else model.train()


def with_adapters(model: Any, lora_rank: int) -> Any:
    from peft import LoraConfig, get_peft_model

    model.enable_input_require_grads()
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=lora_rank, lora_alpha=lora_rank)
    return get_peft_model(model, config)


def trainable(model: Any) -> list[torch.nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


class Reference:
    """The base as it was: the model without its adapters, or a frozen copy. Make it before the first step."""

    def __init__(self, model: Any) -> None:
        self.has_adapters = hasattr(model, "peft_config")
        self.model = model if self.has_adapters else copy.deepcopy(model).requires_grad_(False).eval()

    @contextmanager
    def answers(self) -> Iterator[Any]:
        """Within, the model that is handed out is the base; no gradients."""
        with torch.no_grad():
            if not self.has_adapters:
                yield self.model
                return
            with self.model.disable_adapter():
                yield self.model


class Average:
    """A moving average of the trained weights."""

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.weights, self.mean, self.updates = weights, [weight.detach().clone() for weight in weights], 0

    def update(self, steps: int) -> None:
        self.updates += 1
        share = max(1 / self.updates, 1 / max(1.0, steps * recipe.AVERAGE_SHARE))
        torch._foreach_lerp_(self.mean, [weight.detach() for weight in self.weights], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model has the averaged weights."""
        self._swap()
        yield
        self._swap()

    def _swap(self) -> None:
        for weight, mean in zip(self.weights, self.mean, strict=True):
            weight.data, mean.data = mean.data, weight.data
