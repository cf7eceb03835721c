"""One challenge in memory: its base, its rows as samples, and what the base has to say about them.

    challenge = Challenge.open(base folder, rows, dataset type, Device)
    for folder in checkpoints:
        challenge.measure(folder)       a Measurement, or a refusal with its reason

Any number of checkpoints is measured one after another; none changes another's bytes.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch

from core.challenge import ChallengeKind, ChatDataset, DatasetType, DpoDataset, InstructDataset
from core.errors import PrerequisiteError, SubmissionError
from core.evaluation import ExampleResult
from core.value import canonical_json, sha256_hex
from evaluators import chat, checkpoint, instruct, lora, machine, preference
from evaluators.definitions import Definition, Likelihood, Preference, RegularisedLikelihood, Value, require_finite
from evaluators.engine import Engine
from evaluators.loading import Base, load_base, load_tokenizer
from evaluators.machine import Device
from evaluators.measurement import CheckpointForm, Measurement, Stages
from evaluators.packing import Sample
from evaluators.rows import Row


class Challenge:
    def __init__(
        self,
        base: Base,
        rows: Sequence[Row],
        dataset: DatasetType,
        device: Device,
        kl_coefficient: float | None = None,
        max_tokens: int = 4096,
    ) -> None:
        """Raises PrerequisiteError for whatever is wrong with rows, dataset or base."""
        self.stages, self._base, self._device = Stages(), base, device
        with self.stages.timed("rows"):
            self._samples = samples_of(rows, dataset, load_tokenizer(base), base.length(max_tokens))
        self._hashes = [sha256_hex(canonical_json(row)) for row in rows]
        self._counting = counting(self._samples)
        self._definition = definition_for(dataset, kl_coefficient)

    def measure(self, folder: Path, verify: Callable[[], None] = lambda: None) -> Measurement:
        """Measure the checkpoint in the folder, or refuse it.

        Args:
            verify: called before the checkpoint is opened.
        """
        stages, form = Stages(), None
        try:
            with stages.timed("checks"):
                found = checkpoint.find(folder)
                form = found.form
                verify()
                fine = lora.opened(self._base, found, self._device.device)
            with stages.timed("base"):
                engine = self.engine
            with stages.timed("weights"):
                engine.load(fine)
            with stages.timed("answers"):
                rows = self._results(engine)
        except SubmissionError as e:
            return self._measurement(form, stages, refusal=e.reason)
        return self._measurement(form, stages, rows=rows)

    @cached_property
    def engine(self) -> Engine:
        """Made when the first checkpoint is found sound, with the base's own answers."""
        try:
            engine = Engine(self._base, self._device)
        except (MemoryError, torch.OutOfMemoryError) as e:
            raise PrerequisiteError("memory is too small for the base model: use a larger machine") from e
        self._definition.learn(engine, self._counted)
        return engine

    @property
    def _counted(self) -> list[Sample]:
        return [self._samples[number] for number in self._counting]

    def _results(self, engine: Engine) -> tuple[ExampleResult, ...]:
        values = self._definition.values(engine, self._counted)
        require_finite(values, self._counting)
        by_number = dict(zip(self._counting, values, strict=True))
        nothing: Value = (0.0, 0, {})
        return tuple(
            ExampleResult(row_id=number, row_sha256=digest, total=total, weight=weight, parts=parts)
            for number, digest in enumerate(self._hashes)
            for total, weight, parts in [by_number.get(number, nothing)]
        )

    def _measurement(
        self,
        form: CheckpointForm | None,
        stages: Stages,
        rows: tuple[ExampleResult, ...] = (),
        refusal: str | None = None,
    ) -> Measurement:
        return Measurement(form, machine.versions(self._device), rows=rows, refusal=refusal, stages=stages)


def open_challenge(
    base: Path,
    rows: Sequence[Row],
    dataset: DatasetType,
    kl_coefficient: float | None = None,
    max_tokens: int = 4096,
) -> Challenge:
    """On this machine's device. Raises PrerequisiteError."""
    device = machine.prepare()
    return Challenge(load_base(base), rows, dataset, device, kl_coefficient, max_tokens)


def samples_of(rows: Sequence[Row], dataset: DatasetType, tokenizer: object, length: int) -> list[Sample]:
    """A sample for every row, in order. Raises PrerequisiteError."""
    match dataset:
        case InstructDataset():
            return instruct.samples(rows, dataset, tokenizer, length)
        case ChatDataset():
            return chat.samples(rows, dataset, tokenizer, length)
        case DpoDataset():
            return preference.samples(rows, dataset, tokenizer, length)
    raise PrerequisiteError(f"a {type(dataset).__name__} is not read here: use the evaluator of its kind")


def counting(samples: Sequence[Sample]) -> list[int]:
    """Numbers of the samples that a value is made of. Raises PrerequisiteError when there is none."""
    numbers = [number for number, sample in enumerate(samples) if sample[0].counted]
    if not numbers:
        raise PrerequisiteError("the test set has no answer token at all: prepare the challenge again")
    return numbers


def definition_for(dataset: DatasetType, kl_coefficient: float | None) -> Definition:
    if isinstance(dataset, DpoDataset):
        return Preference()
    return Likelihood() if kl_coefficient is None else RegularisedLikelihood(kl_coefficient)


DATASETS = {
    ChallengeKind.INSTRUCT: InstructDataset,
    ChallengeKind.CHAT: ChatDataset,
    ChallengeKind.DPO: DpoDataset,
}
"""How the rows of each kind are described."""
