"""The result of a model depends on the model and the row alone: docs/measurement.md, chapter 7, row by row."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    GPTNeoXConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from core.challenge import InstructDataset
from core.errors import PrerequisiteError
from evaluators import instruct
from evaluators.measurement import Measurement
from tests.evaluators.bench import Tensors
from tests.evaluators.challenges import KINDS, Short, by_row, challenge, rows_of
from tests.evaluators.conftest import moved, save_model
from tests.evaluators.test_lora import save_adapter

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
each_kind = pytest.mark.parametrize("kind", KINDS)


def save(folder: Path, tensors: Tensors) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def full(tmp_path: Path, tuned: Tensors) -> Path:
    return save(tmp_path / "full", tuned)


@pytest.fixture
def adapter(tmp_path: Path, long_base: Path) -> Path:
    save_adapter(long_base, tmp_path / "adapter")
    return tmp_path / "adapter"


@each_kind
def test_batch_sizes_and_threads(kind: str, long_base: Path, full: Path) -> None:
    expected = by_row(challenge(kind, long_base, budget=1).measure(full))
    for budget in (64, 200, 777, 100_000):
        assert by_row(challenge(kind, long_base, budget=budget).measure(full)) == expected
    assert by_row(challenge(kind, long_base, budget=200, workers=4).measure(full)) == expected


@each_kind
def test_order_and_company_of_rows(kind: str, long_base: Path, full: Path) -> None:
    rows = rows_of(kind)
    expected = by_row(challenge(kind, long_base).measure(full))
    assert by_row(challenge(kind, long_base, random.Random(5).sample(rows, len(rows))).measure(full)) == expected
    alone = by_row(challenge(kind, long_base, rows[7:8]).measure(full))
    assert alone.items() <= expected.items()


@each_kind
def test_other_models(kind: str, long_base: Path, full: Path, adapter: Path, tmp_path: Path, tuned: Tensors) -> None:
    alone = {folder: by_row(challenge(kind, long_base).measure(folder)) for folder in (full, adapter)}
    broken = save(tmp_path / "nan", tuned | {"model.norm.weight": torch.full((32,), torch.nan)})
    vast = save(tmp_path / "vast", tuned | {"model.norm.weight": torch.full((32,), 3e38)})
    other = save(tmp_path / "other", moved(tuned))
    together = challenge(kind, long_base)
    for folder in (adapter, broken, full, vast, adapter, other, full, full, adapter):
        measurement = together.measure(folder)
        if folder in alone:
            assert by_row(measurement) == alone[folder]
    assert "not finite" in str(together.measure(broken).refusal)
    assert "diverged: the loss of test row 0" in str(together.measure(vast).refusal)


@each_kind
def test_a_lack_of_memory(kind: str, long_base: Path, full: Path) -> None:
    expected = by_row(challenge(kind, long_base).measure(full))
    short_challenge = challenge(kind, long_base, budget=4096, workers=2)
    short = Short(short_challenge.engine.live.model, 256)
    assert by_row(short_challenge.measure(full)) == expected
    assert short.failures > 0


def test_no_memory_for_one_row_is_ours(long_base: Path, full: Path) -> None:
    short_challenge = challenge("instruct", long_base)
    Short(short_challenge.engine.live.model, 10)
    with pytest.raises(PrerequisiteError, match="memory is too small for the longest test row alone"):
        short_challenge.measure(full)


SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
GROUPED: dict[str, Any] = SHAPE | {"num_key_value_heads": 2, "head_dim": 8}
ARCHITECTURES: dict[str, tuple[Callable[[], PretrainedConfig], bool]] = {
    "qwen2": (lambda: Qwen2Config(**GROUPED, tie_word_embeddings=True), True),
    "qwen3": (lambda: Qwen3Config(**GROUPED), True),
    "mistral with a sliding window": (lambda: MistralConfig(**GROUPED, sliding_window=8), True),
    "gpt-neox": (lambda: GPTNeoXConfig(**SHAPE), True),
    "yarn": (lambda: Qwen2Config(**GROUPED, rope_parameters=YARN), True),
    "gemma 2, capped": (lambda: Gemma2Config(**GROUPED, query_pre_attn_scalar=8, sliding_window=16), False),
    "longrope": (lambda: Qwen2Config(**GROUPED, rope_parameters=LONG), False),
    "a mixture of experts": (
        lambda: Qwen3MoeConfig(**GROUPED, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16),
        False,
    ),
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 128}
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0] * 4,
    "factor": 4.0,
    "original_max_position_embeddings": 32,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures(tmp_path: Path, name: str) -> None:
    """Those that can be packed are; the others are read row by row. Both as transformers reads them."""
    config, packed = ARCHITECTURES[name]
    base = save_model(tmp_path / "base", config())
    full = save(tmp_path / "full", moved(load_file(base / "model.safetensors")))
    one = challenge("instruct", base, budget=4096)
    assert one.engine.live.packed is packed
    assert_as_transformers(base, full, rows_of("instruct"), one.measure(full))
    for kind in ("instruct", "DPO", "KL"):
        rows = rows_of(kind, 9)
        wide = by_row(challenge(kind, base, rows, budget=4096, workers=2).measure(full))
        narrow = by_row(challenge(kind, base, rows[::-1], budget=1).measure(full))
        assert wide == narrow


def assert_as_transformers(base: Path, full: Path, rows: list[dict[str, Any]], found: Measurement) -> None:
    shutil.copy(base / "config.json", full)
    model = AutoModelForCausalLM.from_pretrained(full, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    for (sequence,), row in zip(instruct.samples(rows, InstructDataset(), tokenizer, 512), found.rows, strict=True):
        labels = torch.tensor([-100 if at not in sequence.counted else id for at, id in enumerate(sequence.tokens)])
        with torch.no_grad():
            loss = model(torch.tensor([sequence.tokens]), labels=labels[None]).loss
        assert row.total == pytest.approx(loss.double().item() * row.weight, rel=1e-5)
