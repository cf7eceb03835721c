"""LoRA adapters in PEFT's format, merged by us: W + scale · B·A in float32.

scale is lora_alpha / r, or lora_alpha / √r with use_rslora. Source: LoRA, https://arxiv.org/abs/2106.09685, section
4.1; rank-stabilised, https://arxiv.org/abs/2312.03732; peft/tuners/lora/layer.py for names and shapes.

    base_model.model.<module>.lora_A.weight     (r, in); `.lora_A.default.weight` as well
    base_model.model.<module>.lora_B.weight     (out, r)
    base_model.model.<name>                     stands in for the base's tensor <name> (`modules_to_save`)
"""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import SubmissionError
from core.safetensors import TensorInfo
from evaluators.checkpoint import Fine, Found, FullWeights, check_dtype, check_tensor, open_tensors, require_finite
from evaluators.loading import Base
from evaluators.tensors import shown

MOST_CONFIG_BYTES = 1 << 20
MOST_RANK = 512
INSTEAD = "merge the adapter into the base and save full weights"
_PREFIX = "base_model.model."
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
_WITHOUT_EFFECT = frozenset(
    {
        "auto_mapping",
        "base_model_name_or_path",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "inference_mode",
        "layers_pattern",
        "layers_to_transform",
        "lora_dropout",
        "megatron_config",
        "megatron_core",
        "modules_to_save",
        "peft_version",
        "qalora_group_size",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
    }
)
"""Fields of PEFT's LoraConfig that change nothing about what the tensors mean."""

Rank = Annotated[int, Field(ge=1, le=MOST_RANK)]


class AdapterConfig(BaseModel):
    """The fields of adapter_config.json that we honour; those we do not know must be null, false or empty."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)

    peft_type: Literal["LORA"]
    r: Rank
    lora_alpha: Annotated[float, Field(gt=0)]
    use_rslora: bool = False
    fan_in_fan_out: Literal[False] = False
    bias: Literal["none"] = "none"
    init_lora_weights: Literal[True, False, "gaussian", "orthogonal", "eva"] = True
    """Of the ways to begin, those that leave the base's weights as they are."""
    rank_pattern: dict[str, Rank] | None = None
    """The tensors themselves say which rank each module has."""

    def scale(self, rank: int) -> float:
        return self.lora_alpha / (math.sqrt(rank) if self.use_rslora else rank)


def read_config(path: Path) -> AdapterConfig:
    """Raises SubmissionError naming the field."""
    if path.stat().st_size > MOST_CONFIG_BYTES:
        raise SubmissionError(f"{path.name} has more than {MOST_CONFIG_BYTES} bytes: save the LoRA config alone")
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_unique, parse_constant=_no_constant)
        config = AdapterConfig.model_validate(content)
    except ValidationError as e:
        raise SubmissionError(_said(path, e)) from e
    except (ValueError, RecursionError) as e:
        raise SubmissionError(f"{path.name} is not sound JSON: {str(e)[:200]}") from e
    _check_unknown(path, config)
    return config


def _said(path: Path, error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part)[:60] for part in first["loc"]) or "its top"
    return f"{path.name} cannot be honoured at {shown(field)}: {first['msg'][:200]}; {INSTEAD}"


def _check_unknown(path: Path, config: AdapterConfig) -> None:
    for field, value in (config.model_extra or {}).items():
        if field not in _WITHOUT_EFFECT and value not in (None, False, "", [], {}):
            raise SubmissionError(f"{path.name} sets {shown(field)}, which is not honoured: {INSTEAD}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a field twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"it holds {word}, which is not JSON")


class Pair(NamedTuple):
    """Names of one module's factors in the adapter's file."""

    a: str
    b: str


def opened(base: Base, found: Found, device: torch.device) -> Fine:
    """What was found, checked: full weights, or an adapter, its products made on the device."""
    return FullWeights(base, found.files) if found.form == "full" else LoraAdapter(base, found.files, device)


class LoraAdapter:
    def __init__(self, base: Base, files: tuple[Path, ...], device: torch.device) -> None:
        """`files`: adapter_config.json and the weights; `device`: where the products are made."""
        config_file, weights = files
        self._device = device
        self._config = read_config(config_file)
        size = base.files.size_bytes
        self._files = open_tensors((weights,), size, f"the base itself; {INSTEAD}, or lower r")
        self._pairs, self._stand_ins = self._sort(base)
        for target, pair in self._pairs.items():
            self._check_pair(pair, target, base.files.infos[target])
        for target, name in self._stand_ins.items():
            check_tensor(name, self._files.infos[name], base.files.infos[target])
        self.names = frozenset(self._pairs) | frozenset(self._stand_ins)

    def tensor(self, name: str, original: torch.Tensor) -> torch.Tensor:
        if name in self._stand_ins:
            return self._files.read(self._stand_ins[name])
        return self._merged(self._pairs[name], original) if name in self._pairs else original

    def _merged(self, pair: Pair, original: torch.Tensor) -> torch.Tensor:
        a, b = self._factor(pair.a), self._factor(pair.b)
        scale = self._config.scale(len(a))
        return (original.to(self._device, torch.float32) + scale * (b @ a)).cpu()

    def _factor(self, name: str) -> torch.Tensor:
        factor = self._files.read(name)
        require_finite(name, factor)
        return factor.to(self._device, torch.float32, copy=True)

    def _sort(self, base: Base) -> tuple[dict[str, Pair], dict[str, str]]:
        """Which of the adapter's tensors stand for what: pairs and stand-ins, by the base's names."""
        factors: dict[str, dict[str, str]] = {}
        stand_ins: dict[str, str] = {}
        for name in self._files.infos:
            target, side = _meaning(name)
            _check_target(name, target, base)
            group = stand_ins if side is None else factors.setdefault(target, {})
            if group.setdefault(side or target, name) != name or (target in factors and target in stand_ins):
                raise SubmissionError(f"tensor {shown(name)} is one of two for {shown(target)}: save one")
        return {target: _pair(target, sides) for target, sides in factors.items()}, stand_ins

    def _check_pair(self, pair: Pair, target: str, original: TensorInfo) -> None:
        a, b = self._files.infos[pair.a], self._files.infos[pair.b]
        check_dtype(pair.a, a)
        check_dtype(pair.b, b)
        rank = a.shape[0] if a.shape else 0
        if len(original.shape) != 2 or not 1 <= rank <= MOST_RANK:
            raise SubmissionError(f"tensor {shown(pair.a)} is for no matrix, or has no rank of 1 to {MOST_RANK}")
        if a.shape != (rank, original.shape[1]) or b.shape != (original.shape[0], rank):
            raise SubmissionError(
                f"the adapter's shapes {list(a.shape)} and {list(b.shape)} do not fit {shown(target)} "
                f"of shape {list(original.shape)}: train on this challenge's base"
            )
        if rank != self._config.r and not self._config.rank_pattern:
            raise SubmissionError(f"tensor {shown(pair.a)} has rank {rank}, adapter_config.json says {self._config.r}")


def _meaning(name: str) -> tuple[str, str | None]:
    """The base's tensor that an adapter's tensor is for, and its side, `A` or `B`; no side: it stands in for it."""
    if not name.startswith(_PREFIX):
        raise SubmissionError(f"tensor {shown(name)} does not start with {_PREFIX}: save with peft's save_pretrained")
    name = name.removeprefix(_PREFIX)
    factor = _FACTOR.fullmatch(name)
    return (f"{factor['module']}.weight", factor["side"]) if factor else (name, None)


def _check_target(name: str, target: str, base: Base) -> None:
    if target in base.aliases:
        raise SubmissionError(f"tensor {shown(name)}: the base ties {target} to {base.aliases[target]}; {INSTEAD}")
    if target not in base.files.infos:
        raise SubmissionError(f"tensor {shown(name)} is for nothing in the base: train on its base, or {INSTEAD}")


def _pair(target: str, sides: dict[str, str]) -> Pair:
    if sides.keys() != {"A", "B"}:
        raise SubmissionError(f"the adapter has only one of lora_A and lora_B for {shown(target)}: save both")
    return Pair(sides["A"], sides["B"])
