"""Jobs of GRPO challenges: `grpo-reward-minus-kl/1`, to the last detail in docs/measurement.md, chapter on GRPO.

A prompt's score is what the fine-tune's completions of it earn by the challenge's reward functions, in [0, 1], less
half the KL(base ‖ model) on the prompt. It depends on nobody else.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from core.challenge import GrpoDataset
from core.errors import PrerequisiteError, SubmissionError
from core.evaluation import EvaluationSpec, ExampleResult, Reward
from evaluators import checkpoint, generation, job, loading, lora, machine
from evaluators.head import check_head, head_of, tiles
from evaluators.live import works_on_tokens
from evaluators.machine import Device, free, is_lack_of_memory
from evaluators.measurement import CheckpointForm, Measurement, Stages
from evaluators.prompts import Prompt, Voice, prompts, voice_of
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.scoring import Judge, Marks, standard_error, weighted
from evaluators.rows import Row
from evaluators.weights import Weights

COMPLETIONS = generation.ROWS
"""Of every prompt."""
KL_COEFFICIENT = 0.5
CHUNK = 32
"""Positions of a prompt whose logits are held at once, and their float64 log-probabilities."""


def challenge_of(spec: EvaluationSpec) -> "GrpoChallenge":
    """The spec's challenge, verified. Raises PrerequisiteError or IntegrityError: whatever is wrong with it is ours."""
    if not isinstance(spec.dataset_type, GrpoDataset):
        given = type(spec.dataset_type).__name__
        raise PrerequisiteError(f"dataset_type of a {spec.kind} is a {given}: give a GrpoDataset")
    device = machine.prepare()
    job.verify_tree(Path(spec.base_model), spec.base_sha256, "base model")
    base, rows = loading.load_base(Path(spec.base_model)), job.read_rows(spec)
    return GrpoChallenge(base, rows, spec.dataset_type, device, spec.seed, spec.max_tokens)


class GrpoChallenge:
    def __init__(
        self,
        base: loading.Base,
        rows: Sequence[Row],
        dataset: GrpoDataset,
        device: Device,
        seed: str,
        max_tokens: int = 4096,
    ) -> None:
        """Raises PrerequisiteError for whatever is wrong with rows, reward functions or base."""
        self._base, self._device, self._seed = base, device, seed
        self._voice = voice_of(base, max_tokens)
        self._prompts = list(prompts(rows, dataset, self._voice))
        self._sandbox = Sandbox()
        self._judge = Judge(dataset, self._sandbox)
        self._together = COMPLETIONS
        """How many of a prompt are written at a time; a lack of memory makes it fewer."""

    def measure(self, folder: Path, verify: Callable[[], None] = lambda: None) -> Measurement:
        """Measure the checkpoint in the folder, or refuse it. `verify` is called before it is opened."""
        stages, form = Stages(), None
        try:
            with stages.timed("checks"):
                found = checkpoint.find(folder)
                form = found.form
                verify()
                fine = lora.opened(self._base, found, self._device.device)
            with stages.timed("base"):
                live = self.live
            with stages.timed("weights"):
                live.weights.load(fine)
            with stages.timed("completions"):
                drawn = [self._answers(number) for number in range(len(self._prompts))]
            with stages.timed("rewards"):
                rows, marks = self._judged(drawn)
        except SubmissionError as e:
            return Measurement(form, machine.versions(self._device), refusal=e.reason, stages=stages)
        return self._measurement(form, stages, rows, marks)

    def _measurement(
        self, form: CheckpointForm, stages: Stages, rows: tuple[ExampleResult, ...], marks: list[tuple[Marks, ...]]
    ) -> Measurement:
        rewards = tuple(_reward(each) for each in zip(*marks, strict=True))
        kl = math.fsum(row.parts["kl"] for row in rows) / len(rows)
        versions = machine.versions(self._device)
        return Measurement(form, versions, rows=rows, stages=stages, rewards=rewards, kl=kl)

    @cached_property
    def live(self) -> "WritingModel":
        try:
            return WritingModel(self._base, self._device, self._prompts)
        except (MemoryError, torch.OutOfMemoryError) as e:
            raise PrerequisiteError("memory is too small for the base model: use a larger machine") from e

    def _answers(self, number: int) -> tuple[list[str], float]:
        """The completions of a prompt, and its KL in nats per token, as many at a time as memory has room for."""
        while True:
            try:
                return self._answered(number)
            except (MemoryError, RuntimeError) as e:
                if not is_lack_of_memory(e):
                    raise
            self._lower()

    def _answered(self, number: int) -> tuple[list[str], float]:
        """Raises SubmissionError for a KL that is no number."""
        starts = range(0, COMPLETIONS, self._together)
        groups = (range(start, min(start + self._together, COMPLETIONS)) for start in starts)
        drawn = [self.live.draw(self._prompts[number], group, self._seed, self._voice) for group in groups]
        kl = self.live.divergence(number, drawn[0].prompt_hidden)
        if not math.isfinite(kl):
            raise SubmissionError(f"diverged: the KL of test row {number} to the base is not a finite number")
        return [self._voice.text(tokens) for each in drawn for tokens in each.completions], kl

    def _lower(self) -> None:
        """Raises PrerequisiteError when there is nothing to split."""
        if self._together == 1 or not self.live.divisible:
            raise PrerequisiteError("memory is too small for the longest prompt's completions: use a larger machine")
        self._together //= 2
        free(self._device)

    def _judged(
        self, drawn: list[tuple[list[str], float]]
    ) -> tuple[tuple[ExampleResult, ...], list[tuple[Marks, ...]]]:
        with self._sandbox:
            pairs = zip(self._prompts, drawn, strict=True)
            marks = [self._judge.marks(texts, prompt.text, prompt.extra) for prompt, (texts, _) in pairs]
        facts = zip(self._prompts, marks, drawn, strict=True)
        rows = tuple(_result(number, prompt, mine, kl) for number, (prompt, mine, (_, kl)) in enumerate(facts))
        return rows, marks


class WritingModel:
    """The one model in memory, which writes; and what the base has to say about the prompts."""

    def __init__(self, base: loading.Base, device: Device, prompts: Sequence[Prompt]) -> None:
        self.divisible = False
        """Whether a completion comes out the same however many are written at a time."""
        self.weights = Weights(base, device, self._built)
        self.divisible = works_on_tokens(base) and self._try_divided(prompts[0])
        with torch.inference_mode():
            hidden = [generation.read(self.weights.model, prompt.tokens)[0] for prompt in prompts]
            self._check_head(prompts[0], hidden[0])
        self._base_hidden = [states.cpu() for states in hidden]
        self._base_head = head_of(self.weights.model, CHUNK).detached()

    def draw(self, prompt: Prompt, numbers: range, seed: str, voice: Voice) -> generation.Drawn:
        return generation.draw(
            self.weights.model, prompt.tokens, seed, prompt.sha256, numbers, voice.most_new, voice.ends
        )

    def divergence(self, number: int, hidden: torch.Tensor) -> float:
        """KL(base ‖ fine) on the prompt, nats per token; ≥ 0 or not finite."""
        with torch.inference_mode():
            pairs = zip(tiles(self._base_hidden[number].to(hidden.device), CHUNK), tiles(hidden, CHUNK), strict=True)
            head = head_of(self.weights.model, CHUNK)
            nats = [each for base, fine in pairs for each in token_kl(self._base_head.logits(base), head.logits(fine))]
        return mean_of(nats[: len(hidden)])

    def _built(self, model: Any) -> None:
        if self.divisible:
            generation.prepare(model)

    def _try_divided(self, prompt: Prompt) -> bool:
        """Whether this architecture writes the same completions together and alone, tried on a few tokens."""
        before = self.weights.model.config._attn_implementation
        try:
            generation.prepare(self.weights.model)
            together, *alone = (self._tried(prompt, numbers) for numbers in (range(2), range(1), range(1, 2)))
            if together == alone[0] + alone[1]:
                return True
        except (ValueError, TypeError):
            pass
        self.weights.model.set_attn_implementation(before)
        return False

    def _tried(self, prompt: Prompt, numbers: range) -> tuple[tuple[int, ...], ...]:
        return generation.draw(self.weights.model, prompt.tokens, "", "", numbers, 4, frozenset()).completions

    def _check_head(self, prompt: Prompt, hidden: torch.Tensor) -> None:
        model = self.weights.model
        tokens = torch.tensor([prompt.tokens], device=model.device)
        logits = model(input_ids=tokens, use_cache=False).logits[0, :1]
        check_head(head_of(model, CHUNK), hidden[:1], logits, type(model).__name__)


def token_kl(base: torch.Tensor, fine: torch.Tensor) -> list[float]:
    """KL(base ‖ fine) at each position, in nats: logits of (T, V) each, any float dtype."""
    p, q = (logits.double().log_softmax(-1) for logits in (base, fine))
    divergences: list[float] = (p.exp() * (p - q)).sum(-1).tolist()
    return divergences


def mean_of(nats: Sequence[float]) -> float:
    """≥ 0, or NaN where one is not finite."""
    return max(math.fsum(nats) / len(nats), 0.0) if all(map(math.isfinite, nats)) else math.nan


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
