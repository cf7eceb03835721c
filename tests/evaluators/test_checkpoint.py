"""Hostile and careless full checkpoints: each is refused with a reason that names what is wrong."""

import json
import pickle
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.evaluators.bench import Bench, Tensors
from tests.evaluators.conftest import moved

MASK = "model.rotary_emb.inv_freq"
NORM, EMBED, DOWN = "model.norm.weight", "model.embed_tokens.weight", "model.layers.0.mlp.down_proj.weight"


@pytest.fixture
def masked_base(tmp_path: Path, base: Path) -> Path:
    """Like files of older libraries: one that holds a table which no training moves."""
    folder = tmp_path / "masked"
    shutil.copytree(base, folder)
    save_file(load_file(base / "model.safetensors") | {MASK: torch.ones(4)}, folder / "model.safetensors")
    return folder


def with_value(tensor: torch.Tensor, value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(-1)[-1] = value
    return changed


CHANGES: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "NaN in one place": (lambda t: t | {DOWN: with_value(t[DOWN], float("nan"))}, rf"{DOWN}.* not finite"),
    "infinity": (lambda t: t | {NORM: with_value(t[NORM], float("-inf"))}, rf"{NORM}.* not finite"),
    "overflown half": (lambda t: t | {NORM: torch.full((32,), 1e6).half()}, rf"{NORM}.* not finite"),
    "another shape": (lambda t: t | {NORM: torch.ones(33)}, r"norm.*\[33\].*\[32\].*architecture"),
    "a transposed matrix": (lambda t: t | {DOWN: t[DOWN].T.contiguous()}, r"\[64, 32\].*\[32, 64\]"),
    "a larger vocabulary": (lambda t: t | {EMBED: torch.ones(301, 32)}, r"\[301, 32\].*vocabulary"),
    "a missing tensor": (lambda t: {n: v for n, v in t.items() if n != DOWN}, rf"{DOWN}.* is missing \(1 in all\)"),
    "an extra tensor": (lambda t: t | {"model.layers.2.more": torch.ones(2)}, r"layers.2.more.* not of the base"),
    "a terminal escape": (lambda t: t | {"\x1b[2J": torch.ones(2)}, r"'\\x1b\[2J' is not of the base"),
    "double precision": (lambda t: t | {NORM: t[NORM].double()}, r"norm.* has dtype F64: save it as one of BF16"),
    "integers": (lambda t: t | {NORM: t[NORM].int()}, r"dtype I32"),
    "an untied head": (lambda t: t | {"lm_head.weight": t[EMBED] + 1}, r"ties lm_head.weight to model.embed_tokens"),
    "a head of another shape": (lambda t: t | {"lm_head.weight": torch.ones(5, 32)}, r"lm_head.*\[5, 32\]"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tensors_that_are_no_fine_tune(bench: Bench, tuned: Tensors, name: str) -> None:
    change, reason = CHANGES[name]
    bench.save(change(tuned))
    result = bench.evaluate()
    assert re.search(reason, result.refusal), result.refusal
    assert result.report.checkpoint_form == "full"


BASES: dict[str, Callable[[Tensors], Tensors]] = {
    "as it is": lambda t: t,
    "in another order": lambda t: dict(reversed(t.items())),
    "with the head written out": lambda t: t | {"lm_head.weight": t[EMBED].clone()},
}


@pytest.mark.parametrize("name", BASES)
def test_the_base_handed_back(bench: Bench, base: Path, name: str) -> None:
    bench.save(BASES[name](load_file(base / "model.safetensors")))
    assert bench.evaluate().refusal == "not a fine-tune: the weights are the base model's"


def test_the_base_handed_back_in_another_dtype(tmp_path: Path, half_base: Path) -> None:
    bench = Bench(tmp_path, half_base)
    half = load_file(half_base / "model.safetensors")
    bench.save({name: tensor.float() for name, tensor in half.items()})
    assert "not a fine-tune" in bench.evaluate().refusal
    bench.save({name: tensor.float() * (1 + 1e-6) for name, tensor in half.items()})
    assert "not a fine-tune" in bench.evaluate().refusal


def test_float32_weights_of_a_half_precision_base(tmp_path: Path, half_base: Path) -> None:
    bench = Bench(tmp_path, half_base)
    bench.save({name: tensor.float() for name, tensor in moved(load_file(half_base / "model.safetensors")).items()})
    assert bench.evaluate().scored.value > 0


def lying_header(path: Path) -> None:
    header = json.dumps({NORM: {"dtype": "F32", "shape": [32], "data_offsets": [0, 1 << 40]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(128))


def endless_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{" * 100)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def nested_header(path: Path) -> None:
    header = b'{"a":' * 100_000
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def crowded_header(path: Path) -> None:
    length = (16 << 20) + 1000
    path.write_bytes(struct.pack("<Q", length) + b"{" + b" " * length)


def huge(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(20 << 20)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": 1}))


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/shadow-nowhere")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FILES: dict[Callable[[Path], None], str] = {
    lying_header: "model.safetensors is not a sound safetensors file: .*span",
    endless_header: "header claims",
    cut_short: "run past the file's end",
    nested_header: "nested too deeply",
    crowded_header: "header claims 16778216 bytes",
    huge: "the weights take 20971520 bytes, more than twice the base's",
    pickled: "not a sound safetensors file",
    linked: "model.safetensors is a link",
    dangling: "model.safetensors is a link",
    folder: "model.safetensors is a link or special file",
}


@pytest.mark.parametrize("spoil", FILES, ids=lambda spoil: spoil.__name__)
def test_files_that_are_not_what_they_say(bench: Bench, tuned: Tensors, spoil: Callable[[Path], None]) -> None:
    bench.save(tuned)
    spoil(bench.checkpoint / "model.safetensors")
    refusal = bench.evaluate().refusal
    assert re.search(FILES[spoil], refusal), refusal


def test_a_tensor_in_two_shards(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned, "model-00001-of-00002.safetensors")
    bench.save({NORM: tuned[NORM]}, "model-00002-of-00002.safetensors")
    assert re.search(r"norm.* is in two files, the second is model-00002", bench.evaluate().refusal)


def test_too_many_shards(bench: Bench, tuned: Tensors) -> None:
    for number in range(257):
        (bench.checkpoint / f"model-{number:05}-of-00257.safetensors").touch()
    assert "257 shards" in bench.evaluate().refusal


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "optimizer.safetensors", "adapter_model.safetensors"]
)
def test_nothing_that_is_read(bench: Bench, tuned: Tensors, name: str) -> None:
    torch.save(tuned, bench.checkpoint / name)
    result = bench.evaluate()
    assert "neither model.safetensors" in result.refusal
    assert result.report.checkpoint_form is None


def test_a_buffer_is_no_trained_weight(tmp_path: Path, masked_base: Path) -> None:
    """A mask in the weights' file must not let the model look ahead."""
    bench = Bench(tmp_path, masked_base)
    tensors = load_file(masked_base / "model.safetensors")
    tuned = {name: tensor if MASK in name else tensor + 0.01 for name, tensor in tensors.items()}
    bench.save(tuned)
    assert bench.evaluate().scored.value > 0
    bench.save(tuned | {MASK: tuned[MASK] + 1})
    assert re.search(rf"{MASK}.* is no trained weight", bench.evaluate().refusal)
