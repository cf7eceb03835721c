"""KL-regularised instruct: against the definition said plainly, with transformers' own models."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from core.challenge import ChallengeKind, InstructDataset
from core.evaluation import INSTRUCT_KL
from evaluators import instruct
from tests.evaluators.bench import ROWS, Bench, Tensors

HOW: dict[str, Any] = {"definition": INSTRUCT_KL, "kl_coefficient": 0.25}


def divergences(base: Path, tuned: Tensors) -> list[float]:
    theirs = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    ours = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    ours.load_state_dict(tuned, strict=False)
    found = []
    for (sequence,) in instruct.samples(ROWS, InstructDataset(), AutoTokenizer.from_pretrained(base), 64):
        with torch.no_grad():
            p, q = (
                model(torch.tensor([sequence.tokens])).logits[0].double().log_softmax(-1) for model in (theirs, ours)
            )
        kl = (p.exp() * (p - q)).sum(-1)
        found.append(sum(kl[at - 1].item() for at in sequence.counted))
    return found


def test_nats_plus_the_coefficient_times_the_kl(bench: Bench, base: Path, tuned: Tensors) -> None:
    bench.save(tuned)
    plain, regularised = bench.evaluate(), bench.evaluate(**HOW)
    expected = divergences(base, tuned)
    for before, after, kl in zip(plain.examples, regularised.examples, expected, strict=True):
        assert after.weight == before.weight
        if after.weight:
            assert after.parts["nats"] == before.total
            assert after.parts["kl"] == pytest.approx(kl, rel=1e-4) and kl > 0
            assert after.total == before.total + 0.25 * after.parts["kl"]
    tokens = regularised.scored.weight
    assert regularised.scored.value == pytest.approx(plain.scored.value + 0.25 * sum(expected) / tokens, rel=1e-5)


def test_a_coefficient_is_asked_for(bench: Bench, tuned: Tensors, capsys: pytest.CaptureFixture[str]) -> None:
    bench.save(tuned)
    assert bench.evaluate(definition=INSTRUCT_KL).code == 2
    assert "does not go with kl_coefficient None" in capsys.readouterr().err
    assert bench.evaluate(kl_coefficient=0.1).code == 2
    assert bench.evaluate(kind=ChallengeKind.DPO, definition="dpo-sigmoid-loss/1").code == 2
    assert "dataset_type of a DpoTask is a InstructDataset: give a DpoDataset" in capsys.readouterr().err
