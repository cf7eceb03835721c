"""Jobs of GRPO challenges: `grpo-reward-minus-kl/1`, to the last detail in docs/measurement.md, chapter on GRPO.

A prompt's score is what the fine-tune's completions of it earn by the challenge's reward functions, in [0, 1], less
half the KL(base ‖ model) on the prompt. It depends on nobody else.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from core.challenge import GrpoDataset
from core.errors import PrerequisiteError, SubmissionError
from core.evaluation import EvaluationSpec, ExampleResult, Reward
from evaluators import checkpoint, generation, job, loading, lora, machine
from evaluators.machine import Device
from evaluators.measurement import CheckpointForm, Measurement, Stages
from evaluators.prompts import Prompt, prompts, voice_of
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.scoring import Judge, Marks, standard_error, weighted
from evaluators.rows import Row

COMPLETIONS = 8
"""Of every prompt."""
KL_COEFFICIENT = 0.5
CHUNK = 32
"""Positions whose full-vocabulary float64 log-probabilities are held at once."""


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
        self._reference: torch.nn.Module | None = None

    def measure(self, folder: Path, verify: Callable[[], None] = lambda: None) -> Measurement:
        """Measure the checkpoint in the folder, or refuse it. `verify` is called before it is opened."""
        stages, form = Stages(), None
        try:
            with stages.timed("checks"):
                found = checkpoint.find(folder)
                form = found.form
                verify()
                fine = lora.opened(self._base, found, self._device.device)
            with stages.timed("weights"):
                model = self._model(dict(checkpoint.changed_tensors(self._base, fine)))
            with stages.timed("completions"):
                drawn = self._drawn(model)
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

    def _model(self, changed: dict[str, torch.Tensor]) -> torch.nn.Module:
        """The base with these tensors instead of its own, in memory of their own."""
        dtype = self._device.dtype
        copies = {
            name: each.to(dtype if each.is_floating_point() else each.dtype, copy=True)
            for name, each in changed.items()
        }
        return loading.build_model(self._base, loading.base_state(self._base, dtype) | copies, self._device)

    def _drawn(self, model: torch.nn.Module) -> list[tuple[list[str], float]]:
        """Every prompt's completions and KL. Raises PrerequisiteError when memory is too small for one prompt's."""
        try:
            return [self._answers(model, number) for number in range(len(self._prompts))]
        except (MemoryError, torch.OutOfMemoryError) as e:
            raise PrerequisiteError(
                f"memory is too small for two models and {COMPLETIONS} completions: use a larger machine"
            ) from e

    def _answers(self, model: torch.nn.Module, number: int) -> tuple[list[str], float]:
        """The completions of a prompt, and its KL in nats per token. Raises SubmissionError for no number."""
        if self._reference is None:
            self._reference = self._model({})
        prompt, voice = self._prompts[number], self._voice
        drawn = generation.draw(
            model, prompt.tokens, self._seed, prompt.sha256, COMPLETIONS, voice.most_new, voice.ends
        )
        with torch.inference_mode():
            tokens = torch.tensor([prompt.tokens], device=self._device.device)
            kl = divergence(self._reference(input_ids=tokens, use_cache=False).logits[0], drawn.prompt_logits)
        if not math.isfinite(kl):
            raise SubmissionError(f"diverged: the KL of test row {number} to the base is not a finite number")
        return [voice.text(tokens) for tokens in drawn.completions], kl

    def _judged(
        self, drawn: list[tuple[list[str], float]]
    ) -> tuple[tuple[ExampleResult, ...], list[tuple[Marks, ...]]]:
        with self._sandbox:
            pairs = zip(self._prompts, drawn, strict=True)
            marks = [self._judge.marks(texts, prompt.text, prompt.extra) for prompt, (texts, _) in pairs]
        facts = zip(self._prompts, marks, drawn, strict=True)
        rows = tuple(_result(number, prompt, mine, kl) for number, (prompt, mine, (_, kl)) in enumerate(facts))
        return rows, marks


def divergence(base: torch.Tensor, fine: torch.Tensor) -> float:
    """KL(base ‖ fine), nats per token: logits of (T, V) each, any float dtype; ≥ 0 or not finite."""
    nats: list[float] = []
    for at in range(0, len(base), CHUNK):
        p, q = (logits[at : at + CHUNK].double().log_softmax(-1) for logits in (base, fine))
        nats += (p.exp() * (p - q)).sum(-1).tolist()
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
