"""The measurement `grpo-reward-minus-kl/1`: what a fine-tune's completions of hidden prompts earn, less its drift.

The prompt of a row: the text of the prompt's column, nothing stripped, no chat template. Its tokens, by the base's
tokenizer, without special tokens of the tokenizer's own, BOS before them where the tokenizer begins every text with it.
With L the fewer of the spec's max_tokens and the base's max_position_embeddings, a completion has at most N = the fewer
of 256 and L / 2 tokens, and the prompt loses tokens on its left (never BOS) beyond the fewer of 512 and L - N.

Completions: 8 a prompt, drawn at temperature 1 from the whole vocabulary as `evaluators/generation.py` says, with the
challenge's seed and the SHA-256 of the prompt's text. One ends with a token of the base that ends texts, or at N. Its
text is the tokenizer's decoding without special tokens, spaces left as they are.

Rewards: each function's values cut to [0, 1] (`evaluators/rewards/scoring.py`), its weight divided by the weights' sum.
The prompt's reward is the mean over its completions of Σ weight × value: in [0, 1], whoever else is measured.

KL: the mean over the prompt's tokens t of Σ_v p(v) (log p(v) - log q(v)), p the base's and q the fine-tune's prediction
of what follows t; all tokens count, BOS and the last one too. Logits as in `instruct-nats-per-answer-token/1`, softmax
and sums in float64. Nats per token.

The prompt's score is reward - 0.5 × KL; the test set's is the mean over its prompts. Higher is better. Not finite
anywhere: refused, never a number.

Standard error: a completion's reward lies in [0, 1], so its standard deviation is at most 0.5, and drawing 8 for each
of n prompts leaves at most 0.5 / √(8 n) in the score: 0.0088 for 400 prompts. What a prompt's completions show is in
its parts, `standard_error`. Models are measured with the same random numbers: differences are surer than that.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.challenge import GrpoDataset
from core.errors import PrerequisiteError, SubmissionError
from core.evaluation import EvaluationSpec, ExampleResult, Reward
from core.value import canonical_json, sha256_hex
from evaluators import checkpoint, generation, job, loading, lora, machine
from evaluators.instruct import special_tokens
from evaluators.language import Stages
from evaluators.machine import Device
from evaluators.measurement import CheckpointForm, Measurement
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.scoring import Judge, Marks, standard_error, weighted
from evaluators.rewards.validation import Row, extra_of, prompt_of

COMPLETIONS = 8
"""Of every prompt."""
MOST_PROMPT, MOST_NEW = 512, 256
"""Tokens."""
KL_COEFFICIENT = 0.5
CHUNK = 32
"""Positions whose full-vocabulary float64 log-probabilities are held at once."""


@dataclass(frozen=True)
class Prompt:
    """A row, ready for the model."""

    text: str
    tokens: tuple[int, ...]
    extra: Any
    row_sha256: str


@dataclass(frozen=True)
class Voice:
    """What the base says about texts: how they are cut, how they end, how they are written."""

    tokenizer: Any
    ends: frozenset[int]
    most_prompt: int
    most_new: int


def evaluate(spec: EvaluationSpec) -> Measurement:
    """Measure the checkpoint, or refuse it. Raises PrerequisiteError or IntegrityError when it is ours."""
    stages, device = Stages(), machine.prepare()
    with stages.timed("inputs"):
        base, dataset, voice, prompts = _inputs(spec)
    form: CheckpointForm | None = None
    try:
        with stages.timed("checks"):
            found = checkpoint.find(Path(spec.checkpoint))
            form = found.form
            model = loading.build_model(base, _state(spec, base, found, device), device)
        with stages.timed("base"):
            original = {name: base.read(name) for name in base.names}
            reference = loading.build_model(base, original, device)
        with stages.timed("rows"), Sandbox() as sandbox:
            rows, marks = _measured(Models(reference, model), prompts, Judge(dataset, sandbox), voice, spec.seed)
    except SubmissionError as e:
        return Measurement(form, machine.versions(device), refusal=e.reason, stages=stages)
    rewards = tuple(_reward(each) for each in zip(*marks, strict=True))
    kl = math.fsum(row.parts["kl"] for row in rows) / len(rows)
    return Measurement(form, machine.versions(device), rows=rows, stages=stages, rewards=rewards, kl=kl)


@dataclass(frozen=True)
class Models:
    base: torch.nn.Module
    fine: torch.nn.Module


def _inputs(spec: EvaluationSpec) -> tuple[loading.Base, GrpoDataset, Voice, list[Prompt]]:
    """What is ours, verified before the miner's part is looked at."""
    job.require_folders(spec.base_model, spec.checkpoint)
    job.verify_tree(Path(spec.base_model), spec.base_sha256, "base model")
    dataset = spec.dataset_type
    if not isinstance(dataset, GrpoDataset):
        raise PrerequisiteError("the spec's dataset_type is none of a GRPO challenge: prepare the challenge again")
    base = loading.load_base(Path(spec.base_model))
    voice = voice_of(base, spec.max_tokens)
    return base, dataset, voice, list(tokenize(job.read_rows(spec), dataset, voice))


def _state(
    spec: EvaluationSpec, base: loading.Base, found: checkpoint.Found, device: Device
) -> dict[str, torch.Tensor]:
    job.verify_tree(Path(spec.checkpoint), spec.checkpoint_sha256, "checkpoint")
    fine: checkpoint.Fine = (
        checkpoint.FullWeights(base, found.files)
        if found.form == "full"
        else lora.LoraAdapter(base, found.files, device.device)
    )
    return checkpoint.fine_tuned(base, fine, device.dtype)


def voice_of(base: loading.Base, max_tokens: int) -> Voice:
    tokenizer = loading.load_tokenizer(base)
    length = min(max_tokens, base.positions or max_tokens)
    most_new = min(MOST_NEW, max(1, length // 2))
    declared = base.config.eos_token_id
    ends = {tokenizer.eos_token_id, *(declared if isinstance(declared, list) else [declared])} - {None}
    return Voice(tokenizer, frozenset(ends), min(MOST_PROMPT, length - most_new), most_new)


def tokenize(rows: Sequence[Row], dataset: GrpoDataset, voice: Voice) -> Iterator[Prompt]:
    """A prompt for every row, in order. Raises PrerequisiteError for one without a token."""
    bos, _ = special_tokens(voice.tokenizer)
    for number, row in enumerate(rows):
        text = prompt_of(row, dataset)
        tokens = voice.tokenizer(text, add_special_tokens=False).input_ids
        room = voice.most_prompt - len(bos)
        cut = (*bos, *(tokens[-room:] if room > 0 else []))
        if not cut:
            raise PrerequisiteError(f"row {number} of the test set has no prompt: prepare the challenge again")
        yield Prompt(text, cut, extra_of(row, dataset), sha256_hex(canonical_json(row)))


def _measured(
    models: Models, prompts: Sequence[Prompt], judge: Judge, voice: Voice, seed: str
) -> tuple[tuple[ExampleResult, ...], list[tuple[Marks, ...]]]:
    rows, marks = [], []
    for number, prompt in enumerate(prompts):
        drawn, kl = _answers(models, prompt, voice, seed)
        if not math.isfinite(kl):
            raise SubmissionError(f"diverged: the KL of test row {number} to the base is not a finite number")
        texts = [_text(voice, tokens) for tokens in drawn]
        marks.append(judge.marks(texts, prompt.text, prompt.extra))
        rows.append(_result(number, prompt, marks[-1], kl))
    return tuple(rows), marks


def _answers(models: Models, prompt: Prompt, voice: Voice, seed: str) -> tuple[tuple[tuple[int, ...], ...], float]:
    """The completions, and the KL of the prompt in nats per token."""
    key = sha256_hex(prompt.text.encode("utf-8", "surrogatepass"))
    drawn = generation.draw(models.fine, prompt.tokens, seed, key, COMPLETIONS, voice.most_new, voice.ends)
    with torch.inference_mode():
        tokens = torch.tensor([prompt.tokens], device=drawn.prompt_logits.device)
        expected = models.base(input_ids=tokens, use_cache=False).logits[0]
        return drawn.completions, divergence(expected, drawn.prompt_logits)


def divergence(base: torch.Tensor, fine: torch.Tensor) -> float:
    """KL(base ‖ fine), nats per token: logits of (T, V) each, any float dtype; ≥ 0 or not finite."""
    nats: list[float] = []
    for at in range(0, len(base), CHUNK):
        p, q = (logits[at : at + CHUNK].double().log_softmax(-1) for logits in (base, fine))
        nats += (p.exp() * (p - q)).sum(-1).tolist()
    return max(math.fsum(nats) / len(nats), 0.0) if all(map(math.isfinite, nats)) else math.nan


def _text(voice: Voice, tokens: Sequence[int]) -> str:
    text: str = voice.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def _result(number: int, prompt: Prompt, marks: Sequence[Marks], kl: float) -> ExampleResult:
    rewards = weighted(marks)
    parts = {mark.name: mark.mean for mark in marks}
    parts |= {f"{mark.name}.failed": float(mark.failures) for mark in marks if mark.failures}
    parts |= {"kl": kl, "standard_error": standard_error(rewards)}
    score = math.fsum(rewards) / len(rewards) - KL_COEFFICIENT * kl
    return ExampleResult(row_id=number, row_sha256=prompt.row_sha256, total=score, weight=1, parts=parts)


def _reward(marks: Sequence[Marks]) -> Reward:
    """One function's over all prompts."""
    mean = math.fsum(mark.mean for mark in marks) / len(marks)
    return Reward(name=marks[0].name, weight=marks[0].share, mean=mean)
