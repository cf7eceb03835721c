"""A tiny base model made on the fly, checkpoints of it, and evaluations of them in this process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, PreTrainedTokenizerFast

from tests.evaluators.bench import Bench, Tensors

TEXT = [
    "Return the sum of two numbers, or raise ValueError when one of them is missing.",
    "def add(a, b): return a + b",
    "Say in one line what the function does. Der Zähler läuft über; 数を数える関数です。 🙂",
    "for name in names: print(name)",
]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Evaluations set up their whole process; other rooms' tests share this one."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


def save_tokenizer(folder: Path, begins: bool = True) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)


def save_base(folder: Path, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """A Llama of 27,000 parameters, the same one every time."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 300}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    return save_model(folder, LlamaConfig(**{**shape, **heads, "tie_word_embeddings": True, **changes}), dtype)


def save_model(folder: Path, config: PretrainedConfig, dtype: torch.dtype = torch.float32) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(config)
    model.to(dtype).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def untied_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "untied", tie_word_embeddings=False)


@pytest.fixture(scope="session")
def half_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "half", dtype=torch.bfloat16)


@pytest.fixture(scope="session")
def long_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights for longer texts."""
    return save_base(tmp_path_factory.mktemp("models") / "long", max_position_embeddings=512)


@pytest.fixture
def bench(tmp_path: Path, base: Path) -> Bench:
    return Bench(tmp_path, base)


@pytest.fixture
def tuned(base: Path) -> Tensors:
    """The base's tensors, each moved a little."""
    return moved(load_file(base / "model.safetensors"))


def moved(tensors: Tensors) -> Tensors:
    random = torch.Generator().manual_seed(11)
    return {
        name: (tensor.float() + 0.05 * torch.randn(tensor.shape, generator=random)).to(tensor.dtype)
        for name, tensor in tensors.items()
    }
