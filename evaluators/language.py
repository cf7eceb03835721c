"""The measurement `instruct-nats-per-answer-token/1`: how well a fine-tune predicts the answers of a hidden test set.

The prompt of a row: system_format with the system text, when that is not empty (the row's own, else system_prompt),
followed by `format` with instruction and input, or `no_input_format` with the instruction when the input is empty.
Formats are Python's, with plain fields alone (`{instruction}`). Absent columns and nulls are empty texts. Nothing is
stripped, and no chat template is used.

The tokens of a row, by the base's tokenizer: prompt and answer apart, so that no answer changes how its prompt is
cut and no prompt how its answer is; neither with special tokens of the tokenizer's own. Before the prompt stands BOS
where the tokenizer begins every text with it; after the answer EOS where there is one. An empty answer has no tokens,
not even EOS. Special tokens spelled out in a text are those tokens.

Length: L is the fewer of the spec's max_tokens and the base's max_position_embeddings. The answer loses tokens on
its right beyond L - 1; then the prompt loses tokens on its left (never BOS) until all fit. The first token of a
sequence is predicted by nothing and never counts.

A row's nats: the sum over its answer tokens (EOS included) of -log softmax(logits)[token]. Logits come from one
forward pass over this row alone, unpadded, causal, by transformers' own model of the base's config with the
miner's tensors, in float32 on a CPU and bfloat16 on a GPU; softmax in float32; the sum exact (math.fsum).

The loss: all rows' nats, exactly summed, over all rows' answer tokens. Lower is better. Every row counts, whatever its
length; a row without answer tokens adds nothing to either sum. Not finite anywhere: refused, never a number.

Same bytes: one row at a time, a fixed number of threads and deterministic kernels make a row's result depend on the
row and the weights alone, not on its neighbours, their order or the weights' place in the miner's file. Another
processor or library version may differ in the last digits: they stand in the report.

Prompts follow axolotl's user-defined ones (src/axolotl/prompt_strategies/user_defined.py), which the reference system
trains and evaluates with. Unlike there, the length is never the miner's, and no row's weight depends on a batch.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from core.errors import SubmissionError
from core.evaluation import EvaluationSpec, ExampleResult
from core.value import canonical_json, sha256_hex
from evaluators import checkpoint, job, loading, lora, machine
from evaluators.instruct import Row, Sample, tokenize
from evaluators.machine import Device
from evaluators.measurement import CheckpointForm, Measurement
from evaluators.metrics import token_nats


class Stages(dict[str, float]):
    """Seconds by stage."""

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self[name] = self.get(name, 0.0) + time.perf_counter() - began


def evaluate(spec: EvaluationSpec) -> Measurement:
    """Measure the checkpoint, or refuse it. Raises PrerequisiteError or IntegrityError when it is ours."""
    stages, device = Stages(), machine.prepare()
    with stages.timed("inputs"):
        base, rows = _inputs(spec)
    form: CheckpointForm | None = None
    try:
        with stages.timed("checks"):
            found = checkpoint.find(Path(spec.checkpoint))
            form = found.form
            state = _checked(spec, base, found, device)
        with stages.timed("model"):
            model = loading.build_model(base, state, device)
        with stages.timed("rows"):
            length = min(spec.max_tokens, base.positions or spec.max_tokens)
            samples = tokenize(rows, spec.dataset_type, loading.load_tokenizer(base), length)
            results = measure(model, samples, rows, device)
    except SubmissionError as e:
        return Measurement(form, machine.versions(device), refusal=e.reason, stages=stages)
    return Measurement(form, machine.versions(device), rows=results, stages=stages)


def _inputs(spec: EvaluationSpec) -> tuple[loading.Base, list[Row]]:
    """What is ours, verified before the miner's part is looked at."""
    job.require_folders(spec.base_model, spec.checkpoint)
    job.verify_tree(Path(spec.base_model), spec.base_sha256, "base model")
    return loading.load_base(Path(spec.base_model)), job.read_rows(spec)


def _checked(
    spec: EvaluationSpec, base: loading.Base, found: checkpoint.Found, device: Device
) -> dict[str, torch.Tensor]:
    job.verify_tree(Path(spec.checkpoint), spec.checkpoint_sha256, "checkpoint")
    fine: checkpoint.Fine = (
        checkpoint.FullWeights(base, found.files)
        if found.form == "full"
        else lora.LoraAdapter(base, found.files, device.device)
    )
    return checkpoint.fine_tuned(base, fine, device.dtype)


def measure(
    model: torch.nn.Module, samples: Iterable[Sample], rows: Sequence[Row], device: Device
) -> tuple[ExampleResult, ...]:
    """Every row's result, in order. Raises SubmissionError when one is not finite."""
    return tuple(
        ExampleResult(
            row_id=number,
            row_sha256=sha256_hex(canonical_json(row)),
            total=answer_nats(model, sample, device, number),
            weight=sample.answer_tokens,
        )
        for number, (row, sample) in enumerate(zip(rows, samples, strict=True))
    )


def answer_nats(model: torch.nn.Module, sample: Sample, device: Device, number: int = 0) -> float:
    """Sum over the answer tokens, in nats."""
    count = sample.answer_tokens
    if count == 0:
        return 0.0
    tokens = torch.tensor([sample.tokens], device=device.device)
    with torch.inference_mode():
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=count + 1).logits[0, -count - 1 : -1]
        nats: list[float] = token_nats(logits, tokens[0, -count:]).tolist()
    if not all(map(math.isfinite, nats)):
        raise SubmissionError(f"diverged: the loss of test row {number} is not a finite number")
    return math.fsum(nats)
