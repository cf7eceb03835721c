"""The base model: its own config, tokenizer and tensors, and what a fine-tune of it must look like.

Only our files are read here. Code that comes with a model is never run: a config that asks for it is refused.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.initialization import no_init_weights

from core.errors import PrerequisiteError
from evaluators.machine import Device
from evaluators.tensors import TensorFiles, weight_files


@dataclass(frozen=True)
class Base:
    folder: Path
    config: Any
    files: TensorFiles
    skeleton: torch.nn.Module
    """The model, its parameters without memory."""

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Names of tensors that are only another name of a tensor: with tied embeddings, `lm_head.weight`."""
        tied: dict[str, str] = getattr(self.skeleton, "all_tied_weights_keys", {})
        return {alias: name for alias, name in tied.items() if name in self.files.infos}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the tensors that a fine-tune consists of."""
        return tuple(name for name in self.files.infos if name not in self.aliases)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Names of tensors that are no trained weights, such as masks and tables: they stay as they are."""
        return frozenset(name for name, _ in self.skeleton.named_buffers())

    @property
    def positions(self) -> int | None:
        """The longest sequence that the base was made for, where its config says so."""
        return getattr(self.config, "max_position_embeddings", None)

    def length(self, most: int) -> int:
        """Tokens that a row is cut to where `most` are allowed."""
        return min(most, self.positions or most)

    def read(self, name: str) -> torch.Tensor:
        return self.files.read(name)


def load_base(folder: Path) -> Base:
    """Raises PrerequisiteError: whatever is wrong with a base is ours."""
    _refuse_code(folder)
    files = weight_files(folder)
    if not files:
        raise PrerequisiteError(f"the base model {folder} has no safetensors weights: prepare the challenge again")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with _parameters_without_memory():
            skeleton = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        return Base(folder, config, TensorFiles(files), skeleton)
    except ValueError as e:
        raise PrerequisiteError(f"the base model {folder} cannot be loaded: {e}") from e


def load_tokenizer(base: Base) -> Any:
    """Raises PrerequisiteError."""
    try:
        return AutoTokenizer.from_pretrained(base.folder, local_files_only=True, trust_remote_code=False)
    except Exception as e:  # what broken files raise in the tokenizers library is a bare Exception
        raise PrerequisiteError(f"the base's tokenizer cannot be loaded ({e}): choose another base") from e


def base_state(base: Base, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The base's own tensors in `dtype`."""
    return {name: in_own_memory(base.read(name), dtype) for name in base.names}


def in_own_memory(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A copy; floats in `dtype`. Kernels may round differently with a tensor's alignment, which a file decides."""
    return tensor.to(dtype if tensor.is_floating_point() else tensor.dtype, copy=True)


def build_model(base: Base, state: dict[str, torch.Tensor], device: Device) -> torch.nn.Module:
    """The base's architecture with these tensors, ready to measure."""
    model = _assigned(base, state, device.dtype) or _from_state(base, state, device.dtype)
    return model.to(device.device).eval()


def _assigned(base: Base, state: dict[str, torch.Tensor], dtype: torch.dtype) -> torch.nn.Module | None:
    """None where tensors in files do not go by the architecture's own names, one for one."""
    with _parameters_without_memory():
        model: Any = type(base.skeleton)._from_config(base.config, dtype=dtype)
    try:
        unknown = model.load_state_dict(state, strict=False, assign=True).unexpected_keys
    except RuntimeError:
        return None
    model.tie_weights()
    whole = not any(tensor.is_meta for tensor in model.state_dict().values())
    return model if whole and not unknown else None


def _from_state(base: Base, state: dict[str, torch.Tensor], dtype: torch.dtype) -> torch.nn.Module:
    model, report = type(base.skeleton).from_pretrained(
        None, config=base.config, state_dict=state, dtype=dtype, output_loading_info=True
    )
    absent = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if absent:
        raise PrerequisiteError(f"the base model {base.folder} does not fit its own config: {absent[0]} is not loaded")
    return model


@contextmanager
def _parameters_without_memory() -> Iterator[None]:
    """Models made within have their buffers, and parameters on the meta device.

    With `torch.device("meta")` buffers would be computed there too, which takes a second to import torch's compiler.
    """
    register = torch.nn.Module.register_parameter

    def on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        if parameter is not None:
            bare = torch.empty_like(parameter, device="meta")
            parameter = torch.nn.Parameter(bare, requires_grad=parameter.requires_grad)
        register(module, name, parameter)

    torch.nn.Module.register_parameter = on_meta
    try:
        with no_init_weights():
            yield
    finally:
        torch.nn.Module.register_parameter = register


def _refuse_code(folder: Path) -> None:
    for name in ("config.json", "tokenizer_config.json"):
        path = folder / name
        if not path.is_file():
            raise PrerequisiteError(f"the base model {folder} has no {name}: prepare the challenge again")
        try:
            asks = "auto_map" in json.loads(path.read_bytes())
        except ValueError as e:
            raise PrerequisiteError(f"the base model's {path} is not JSON: {e}") from e
        if asks:
            raise PrerequisiteError(f"the base model's {name} asks for code of its own (auto_map): choose another base")
