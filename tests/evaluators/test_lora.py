import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from evaluators.checkpoint import changed_tensors
from evaluators.loading import load_base
from evaluators.lora import LoraAdapter
from tests.evaluators.bench import Bench, Tensors

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
A, B = (f"base_model.model.model.layers.1.mlp.up_proj.lora_{side}.weight" for side in "AB")


def save_adapter(base: Path, folder: Path, **changes: Any) -> Tensors:
    """A trained-looking adapter, saved by PEFT. Returns PEFT's own merged weights."""
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(**{"r": 4, "lora_alpha": 7, "target_modules": ALL, "task_type": "CAUSAL_LM", **changes})
    adapted = peft.get_peft_model(model, config)
    random = torch.Generator().manual_seed(5)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data.copy_(0.2 * torch.randn(parameter.shape, generator=random))
    adapted.save_pretrained(str(folder))
    merged: Tensors = adapted.merge_and_unload().state_dict()
    return merged


WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rank-stabilised": {"use_rslora": True},
    "some modules": {"target_modules": ["q_proj", "v_proj"], "r": 1},
    "every linear": {"target_modules": "all-linear", "r": 8, "lora_dropout": 0.1},
    "ranks by pattern": {"rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 6}},
    "one layer": {"layers_to_transform": [1]},
    "gaussian": {"init_lora_weights": "gaussian"},
    "embeddings saved": {"modules_to_save": ["embed_tokens"]},
}


@pytest.mark.parametrize("way", WAYS)
def test_merged_as_peft_merges(bench: Bench, untied_base: Path, way: str) -> None:
    expected = save_adapter(untied_base, bench.checkpoint, **WAYS[way])
    files = (bench.checkpoint / "adapter_config.json", bench.checkpoint / "adapter_model.safetensors")
    loaded = load_base(untied_base)
    merged = dict(changed_tensors(loaded, LoraAdapter(loaded, files, torch.device("cpu"))))
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-7)


def test_an_adapter_measures_like_its_merged_weights(bench: Bench, base: Path) -> None:
    merged = save_adapter(base, bench.checkpoint)
    adapter = bench.evaluate()
    assert adapter.report.checkpoint_form == "lora"
    bench.save({name: tensor.clone() for name, tensor in merged.items() if name != "lm_head.weight"})
    full = bench.evaluate()
    assert full.report.checkpoint_form == "full"
    assert adapter.scored.value == pytest.approx(full.scored.value, rel=1e-6)


def test_names_with_the_adapters_name(bench: Bench, base: Path) -> None:
    save_adapter(base, bench.checkpoint)
    plain, path = bench.evaluate().lines, bench.checkpoint / "adapter_model.safetensors"
    save_file({name.replace(".weight", ".default.weight"): t for name, t in load_file(path).items()}, path)
    assert bench.evaluate().lines == plain


def extreme(tensors: Tensors, value: float) -> Tensors:
    return {name: torch.full_like(tensor, value) for name, tensor in tensors.items()}


TENSORS: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "all zero": (lambda t: extreme(t, 0.0), "not a fine-tune"),
    "B as PEFT begins": (lambda t: t | extreme({n: v for n, v in t.items() if "lora_B" in n}, 0.0), "not a fine-tune"),
    "too small to matter": (lambda t: extreme(t, 1e-30), "not a fine-tune"),
    "NaN": (lambda t: t | {A: torch.full_like(t[A], float("nan"))}, r"up_proj\.lora_A.* not finite"),
    "a product beyond float32": (lambda t: extreme(t, 1e30), r"not finite"),
    "no B": (lambda t: {n: v for n, v in t.items() if n != B}, "only one of lora_A and lora_B"),
    "another base's module": (lambda t: t | {A.replace("rs.1", "rs.7"): t[A].clone()}, r"layers\.7.* nothing in"),
    "another base's shape": (lambda t: t | {A: torch.ones(4, 48)}, r"\[4, 48\].*train on this challenge's base"),
    "another rank": (lambda t: t | {A: torch.ones(5, 32), B: torch.ones(64, 5)}, "has rank 5, .* says 4"),
    "a vector": (lambda t: t | {A: torch.ones(32)}, "do not fit"),
    "a number": (lambda t: t | {A: torch.tensor(1.0)}, "no rank of 1 to 512"),
    "a norm as target": (
        lambda t: t | {f"base_model.model.model.norm.lora_{s}.weight": torch.ones(4, 4) for s in "AB"},
        "is for no matrix",
    ),
    "double precision": (lambda t: t | {A: t[A].double()}, "dtype F64"),
    "two for one": (lambda t: t | {A.replace(".weight", ".default.weight"): t[A].clone()}, "one of two"),
    "a pair beside a whole": (lambda t: t | {A.replace("lora_A.", ""): torch.ones(64, 32)}, "one of two"),
    "a whole of another shape": (lambda t: t | {"base_model.model.model.norm.weight": torch.ones(3)}, r"\[3\].*\[32\]"),
    "the tied head": (lambda t: t | {"base_model.model.lm_head.weight": torch.ones(300, 32)}, "ties lm_head.weight"),
    "a foreign prefix": (lambda t: t | {"model.norm.weight": torch.ones(32)}, "does not start with base_model.model."),
    "DoRA's magnitudes": (
        lambda t: t | {A.replace("lora_A", "lora_magnitude_vector"): torch.ones(64)},
        "for nothing in the base",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved_adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    save_adapter(base, folder)
    return folder


@pytest.fixture
def adapter(bench: Bench, saved_adapter: Path) -> Bench:
    shutil.copytree(saved_adapter, bench.checkpoint, dirs_exist_ok=True)
    return bench


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_that_do_not_make_an_adapter(adapter: Bench, name: str) -> None:
    change, reason = TENSORS[name]
    path = adapter.checkpoint / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    result = adapter.evaluate()
    assert re.search(reason, result.refusal), result.refusal
    assert result.report.checkpoint_form == "lora"


def with_fields(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


CONFIGS: dict[str, tuple[Callable[[str], str], str]] = {
    "huge rank": (with_fields(r=10**9), r"cannot be honoured at 'r': .*less than or equal to 512"),
    "rank 0": (with_fields(r=0), "'r'"),
    "rank as text": (with_fields(r="4"), "'r'"),
    "rank true": (with_fields(r=True), "'r'"),
    "a number beyond all": (lambda text: text.replace('"r": 4', f'"r": {"9" * 5000}'), "not sound JSON"),
    "alpha 0": (with_fields(lora_alpha=0), "lora_alpha"),
    "alpha infinite": (lambda text: text.replace('"lora_alpha": 7', '"lora_alpha": 1e999'), "lora_alpha"),
    "alpha NaN": (lambda text: text.replace('"lora_alpha": 7', '"lora_alpha": NaN'), "NaN, which is not JSON"),
    "alpha beyond floats": (lambda text: text.replace('"lora_alpha": 7', f'"lora_alpha": 1{"0" * 400}'), "lora_alpha"),
    "alpha pattern": (with_fields(alpha_pattern={"(a+)+$": 2}), "'alpha_pattern', which is not honoured: merge"),
    "DoRA": (with_fields(use_dora=True), "'use_dora', which is not honoured"),
    "something newer": (with_fields(use_magic={"x": 1}), "'use_magic', which is not honoured"),
    "transposed": (with_fields(fan_in_fan_out=True), "fan_in_fan_out"),
    "bias": (with_fields(bias="all"), "bias"),
    "a changed base": (with_fields(init_lora_weights="pissa"), "init_lora_weights"),
    "another method": (with_fields(peft_type="LOHA"), "peft_type"),
    "no method": (lambda text: "{}", "peft_type"),
    "no object": (lambda text: "[]", "its top"),
    "twice": (lambda text: '{"r": 4,' + text[1:], "names a field twice"),
    "bomb": (lambda text: "[" * 500_000, "not sound JSON"),
    "large": (lambda text: text + " " * (1 << 20), "more than 1048576 bytes"),
    "bytes": (lambda text: text + "\udcff", "not sound JSON"),
    "escape": (with_fields(**{"\x1b[2J": 1}), r"'\\x1b\[2J'"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_that_are_not_honoured(adapter: Bench, name: str) -> None:
    change, reason = CONFIGS[name]
    path = adapter.checkpoint / "adapter_config.json"
    path.write_bytes(change(path.read_text()).encode(errors="surrogateescape"))
    refusal = adapter.evaluate().refusal
    assert re.search(reason, refusal), refusal
    assert len(refusal) < 500


def test_an_adapter_larger_than_the_base(bench: Bench, base: Path) -> None:
    save_adapter(base, bench.checkpoint, r=128)
    assert "more than the base itself" in bench.evaluate().refusal


def test_a_linked_adapter_config(adapter: Bench) -> None:
    path = adapter.checkpoint / "adapter_config.json"
    path.rename(adapter.checkpoint / "elsewhere")
    path.symlink_to("elsewhere")
    assert "adapter_config.json is a link" in adapter.evaluate().refusal


def test_an_adapter_that_peft_has_just_begun(bench: Bench, base: Path) -> None:
    model = peft.get_peft_model(LlamaForCausalLM.from_pretrained(base), peft.LoraConfig(target_modules=ALL))
    model.save_pretrained(str(bench.checkpoint))
    assert "not a fine-tune" in bench.evaluate().refusal
