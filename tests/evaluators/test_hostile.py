"""Hostile, broken and careless models of every kind: each a refusal with its reason, and no other job notices."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from core.challenge import ChallengeKind, ChatDataset, DpoDataset, GrpoDataset
from core.evaluation import CHAT, DPO, GRPO, INSTRUCT_KL
from core.rewards.library import entries
from evaluators.__main__ import main
from tests.evaluators.bench import Bench, Result, Tensors
from tests.evaluators.challenges import KINDS as ROWS_OF
from tests.evaluators.challenges import rows_of
from tests.evaluators.conftest import moved, save_base
from tests.evaluators.test_checkpoint import DOWN, NORM, lying_header, with_value
from tests.evaluators.test_lora import save_adapter

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
UP = DOWN.replace("down", "up")
REWARD = entries()["varied_words"].function
KINDS: dict[str, dict[str, Any]] = {
    "instruct": {},
    "KL": {"definition": INSTRUCT_KL, "kl_coefficient": 0.3},
    "chat": {"kind": ChallengeKind.CHAT, "definition": CHAT, "dataset_type": ChatDataset()},
    "DPO": {"kind": ChallengeKind.DPO, "definition": DPO, "dataset_type": DpoDataset()},
    "GRPO": {
        "kind": ChallengeKind.GRPO,
        "definition": GRPO,
        "dataset_type": GrpoDataset(reward_functions=(REWARD,)),
        "seed": "ab12",
        "max_tokens": 24,
    },
}


def write_job(bench: Bench, kind: str, test: Path) -> Path:
    """Jobs with the same `test` belong to one challenge."""
    return bench.write_job(rows_of_kind(kind), **KINDS[kind], test=str(test))


def rows_of_kind(kind: str) -> list[dict[str, Any]]:
    return rows_of(kind, 3) if kind in ROWS_OF else [{"prompt": "Say what it does"}, {"prompt": "names"}]


@pytest.fixture(scope="module")
def sound(long_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("sound"), long_base)
    bench.save(moved(load_file(long_base / "model.safetensors")))
    return bench


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def rows_file(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "test.json"
    path.write_text(json.dumps(rows_of_kind(kind)))
    return path


@pytest.fixture(scope="module")
def expected(sound: Bench, kind: str, rows_file: Path) -> bytes:
    """What the sound model comes to alone."""
    folder = write_job(sound, kind, rows_file)
    assert main([str(folder)]) == 0
    return Result(0, folder / "outputs").lines


def adapter_of_another(bench: Bench, tuned: Tensors) -> None:
    other = save_base(bench.checkpoint.parent / "other", hidden_size=48)
    save_adapter(other, bench.checkpoint)


def lying(bench: Bench, tuned: Tensors) -> None:
    lying_header(bench.checkpoint / "model.safetensors")


def pickled(bench: Bench, tuned: Tensors) -> None:
    torch.save(tuned, bench.checkpoint / "pytorch_model.bin")


def saved(change: Callable[[Tensors], Tensors]) -> Callable[[Bench, Tensors], None]:
    return lambda bench, tuned: bench.save(change(tuned))


def the_base_itself(bench: Bench, tuned: Tensors) -> None:
    bench.save(load_file(bench.base / "model.safetensors"))


MODELS: dict[str, tuple[Callable[[Bench, Tensors], None], str]] = {
    "diverged at the end": (saved(lambda t: t | {NORM: torch.full((32,), 3e38)}), "diverged: "),
    "diverged within": (saved(lambda t: t | {UP: torch.full_like(t[UP], 3e38)}), "diverged: "),
    "one NaN": (saved(lambda t: t | {DOWN: with_value(t[DOWN], torch.nan)}), "has values that are not finite"),
    "an empty folder": (lambda bench, tuned: None, "has neither model.safetensors"),
    "the base": (the_base_itself, "not a fine-tune"),
    "an adapter for another base": (adapter_of_another, "do not fit"),
    "a lying header": (lying, "is not a sound safetensors file"),
    "a pickle": (pickled, "has neither model.safetensors"),
}


@pytest.mark.parametrize("name", MODELS)
def test_refused_and_nobody_else_notices(
    name: str, kind: str, expected: bytes, sound: Bench, rows_file: Path, tmp_path: Path, tuned: Tensors
) -> None:
    make, reason = MODELS[name]
    hostile = Bench(tmp_path, sound.base)
    make(hostile, tuned)
    before, folder, after = (write_job(bench, kind, rows_file) for bench in (sound, hostile, sound))
    assert main([str(before), str(folder), str(after)]) == 0
    assert reason in Result(0, folder / "outputs").refusal
    assert [Result(0, each / "outputs").lines for each in (before, after)] == [expected, expected]


def test_a_tokenizer_without_padding(kind: str, expected: bytes, long_base: Path) -> None:
    assert AutoTokenizer.from_pretrained(long_base).pad_token is None
    assert expected
