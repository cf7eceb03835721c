"""DPO: rows, and values against the definition said plainly, with transformers' own models."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from core.challenge import ChallengeKind, DpoDataset
from core.errors import PrerequisiteError
from core.evaluation import DPO
from evaluators.definitions import softplus
from evaluators.preference import samples
from tests.evaluators.bench import Bench, Tensors

HOW: dict[str, Any] = {"kind": ChallengeKind.DPO, "definition": DPO, "dataset_type": DpoDataset()}
ROWS: list[dict[str, Any]] = [
    {"prompt": "Return the sum.", "chosen": "def add(a, b): return a + b", "rejected": "def add(a, b): pass"},
    {"prompt": "names", "chosen": "for name in names", "rejected": "数える"},
    {"prompt": "x", "chosen": "", "rejected": "y"},
    {"prompt": "x", "chosen": "y", "rejected": "y"},
    {"prompt": "", "chosen": "y", "rejected": "z 🙂"},
]


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base)


def log_p(model: torch.nn.Module, tokenizer: Any, prompt: str, answer: str) -> float:
    head = tokenizer(prompt).input_ids
    tail = [*tokenizer(answer, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1].double()
    return logits.log_softmax(-1).gather(1, torch.tensor(tail)[:, None]).sum().item()


def test_the_sigmoid_loss_of_every_pair(bench: Bench, base: Path, tuned: Tensors, tokenizer: Any) -> None:
    bench.save(tuned)
    reference = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    model.load_state_dict(tuned, strict=False)
    result = bench.evaluate(ROWS, **HOW)
    assert [example.weight for example in result.examples] == [1, 1, 0, 0, 1]
    for row, example in zip(ROWS, result.examples, strict=True):
        if example.weight:
            chosen, rejected = (
                log_p(model, tokenizer, row["prompt"], row[side])
                - log_p(reference, tokenizer, row["prompt"], row[side])
                for side in ("chosen", "rejected")
            )
            expected = -math.log(1 / (1 + math.exp(-0.1 * (chosen - rejected))))
            assert example.total == pytest.approx(expected, abs=1e-5)
            assert example.parts["chosen"] == pytest.approx(chosen, abs=1e-4)
            assert example.parts["margin"] == example.parts["chosen"] - example.parts["rejected"]
            assert example.parts["accurate"] == float(chosen > rejected)
    assert result.scored.weight == 3
    assert result.scored.value == pytest.approx(sum(example.total for example in result.examples) / 3)


def test_softplus() -> None:
    assert softplus(0.0) == math.log(2)
    assert softplus(1000.0) == 1000.0 and softplus(-1000.0) == 0.0
    assert softplus(-3.0) == pytest.approx(math.log1p(math.exp(-3.0)))


def decoded(row: dict[str, Any], dataset: DpoDataset, tokenizer: Any, length: int = 99) -> list[str]:
    (pair,) = samples([row], dataset, tokenizer, length)
    return [tokenizer.decode(sequence.tokens) for sequence in pair]


def test_formats_and_systems(tokenizer: Any) -> None:
    row = {"prompt": "add", "chosen": "a", "rejected": "b", "sys": "Be {brief}. "}
    assert decoded(row, DpoDataset(), tokenizer) == ["<s>adda</s>", "<s>addb</s>"]
    named = DpoDataset(field_system="sys", prompt_format="[{system}] {prompt}:", chosen_format=" {chosen}!")
    assert decoded(row, named, tokenizer) == ["<s>[Be {brief}. ] add: a!</s>", "<s>[Be {brief}. ] add:b</s>"]
    before = DpoDataset(field_system="sys", prompt_format="{prompt}:")
    assert decoded(row, before, tokenizer)[0] == "<s>Be {brief}. add:a</s>"


def test_both_answers_follow_the_same_prompt(tokenizer: Any) -> None:
    row = {"prompt": "return the sum of names", "chosen": "name " * 3, "rejected": "print(name) " * 40}
    ((chosen, rejected),) = samples([row], DpoDataset(), tokenizer, 30)
    assert len(rejected.tokens) == 30 and len(rejected.counted) == 29
    assert chosen.tokens[: -len(chosen.counted)] == rejected.tokens[:1]
    ((chosen, rejected),) = samples([row | {"rejected": "sum"}], DpoDataset(), tokenizer, 12)
    head = chosen.tokens[: chosen.counted[0]]
    assert head == rejected.tokens[: rejected.counted[0]] and len(chosen.tokens) == 12 > len(rejected.tokens)


@pytest.mark.parametrize("field", ["prompt_format", "chosen_format", "rejected_format"])
def test_formats_that_reach(tokenizer: Any, field: str) -> None:
    dataset = DpoDataset().model_copy(update={field: "{prompt.__class__}{chosen.x}"})
    with pytest.raises(PrerequisiteError, match=rf"dataset_type\.{field} .* may have only the fields"):
        samples(ROWS, dataset, tokenizer, 99)


def test_columns_that_are_not_there(tokenizer: Any) -> None:
    with pytest.raises(PrerequisiteError, match="no row of the test set has the column 'rejected'"):
        samples([{"prompt": "x", "chosen": "y"}], DpoDataset(), tokenizer, 99)
    with pytest.raises(PrerequisiteError, match="row 1 of the test set: 'chosen' is no text"):
        samples([ROWS[0], ROWS[0] | {"chosen": [{"role": "assistant"}]}], DpoDataset(), tokenizer, 99)
