"""The KL that is trained with is the definition's (docs/measurement.md, chapter 4), and the base stays the base."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trainer import long, model
from trainer.clock import Method

from tests.miner_templates.conftest import INSTRUCT
from tests.miner_templates.test_golden import Run, likelihood

COEFFICIENT = 0.5
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
forms = pytest.mark.parametrize("lora", [False, True], ids=["whole", "adapters"])


def by_definition(tuned: Any, base: Any, batch: list[Any]) -> tuple[float, float]:
    """Nats, and Σ over answer tokens of Σ_v p(v) (log p(v) - log q(v)), row by row in float64."""
    nats = divergence = 0.0
    for sample in batch:
        ids = torch.tensor([sample.ids])
        answers = [at for at, label in enumerate(sample.labels) if label != -100]
        with torch.no_grad():
            log_q, log_p = (each(input_ids=ids).logits[0].double().log_softmax(-1) for each in (tuned, base))
        for at in answers:
            nats -= float(log_q[at - 1, sample.ids[at]])
            divergence += float((log_p[at - 1].exp() * (log_p[at - 1] - log_q[at - 1])).sum())
    return nats, divergence


def padded(batch: list[Any]) -> dict[str, torch.Tensor]:
    """As TRL's collator hands it out."""
    width = max(sample.tokens for sample in batch)
    columns = {
        "input_ids": [sample.ids + [0] * (width - sample.tokens) for sample in batch],
        "attention_mask": [[1] * sample.tokens + [0] * (width - sample.tokens) for sample in batch],
        "labels": [sample.labels + [-100] * (width - sample.tokens) for sample in batch],
    }
    return {name: torch.tensor(rows) for name, rows in columns.items()}


@forms
def test_both_ways_descend_nats_and_the_kl_to_the_base(tiny: Path, lora: bool) -> None:
    run = Run(tiny, INSTRUCT, lora=lora)
    objective, batch = likelihood(run, COEFFICIENT), run.held_out[:6]
    with torch.no_grad():
        for weight in model.trainable(run.model):
            weight += 0.1 * torch.randn_like(weight)
        lean, (trl, answers) = objective.loss(batch), long.regularised(objective, run.model, padded(batch))
    nats, divergence = by_definition(run.model, model.load_model(tiny, Method(False, False, 1, False)), batch)
    wanted = nats + COEFFICIENT * divergence
    assert divergence > 1
    assert [float(lean), float(trl)] == pytest.approx([wanted, wanted], rel=1e-5)
    assert answers == objective.units(batch)


@forms
def test_an_untrained_model_is_at_no_distance_from_its_base(tiny: Path, lora: bool) -> None:
    run = Run(tiny, INSTRUCT, lora=lora)
    batch = run.held_out[:6]
    with torch.no_grad():
        plain, regularised = (float(likelihood(run, counted).loss(batch)) for counted in (0.0, COEFFICIENT))
    assert regularised == pytest.approx(plain, rel=1e-6)
