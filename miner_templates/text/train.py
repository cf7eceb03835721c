"""Train a text challenge of any kind well inside its clock: what a container starts with.

A checkpoint that can be submitted lies in the output folder from the first steps on, and is only ever replaced by one
that is better on held-out rows; a kill at any second leaves it whole. The steps are in `trainer/`, the numbers in
`trainer/recipe.py`.

transformers, peft and trl are imported where they are needed: on a short clock their seconds are training time.
"""

import argparse
import gc
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from trainer import clock as clocks
from trainer import lean, recipe
from trainer.clock import Clock
from trainer.model import Reference, count_parameters, load_model, memory_of_one_device
from trainer.objectives import Head, Likelihood, Objective, Preference
from trainer.pacer import Pacer
from trainer.rows import Row, read_rows, split
from trainer.samples import KINDS, Codec, answered
from trainer.save import Keeper


@dataclass(frozen=True)
class Paths:
    """Where the contract puts things."""

    models: Path = Path("/cache/models")
    datasets: Path = Path("/cache/datasets")
    checkpoints: Path = Path("/app/checkpoints")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of CONTRACT.md; whatever is wrong with them ends the process with one clear line."""
    parser = argparse.ArgumentParser(description="Train a text challenge inside its clock.")
    parser.add_argument("--task-id", required=True)
    parser.add_argument("--model", required=True, help="id of the base model")
    parser.add_argument("--dataset", default="", help="informational: the data is already on disk")
    parser.add_argument("--dataset-type", required=True, type=json.loads, help="columns and formats, as JSON")
    parser.add_argument("--task-type", required=True, choices=tuple(KINDS), help="what is trained")
    parser.add_argument("--file-format", default="json", choices=("csv", "json", "hf", "s3"))
    parser.add_argument("--expected-repo-name", required=True)
    parser.add_argument("--hours-to-complete", required=True, type=float)
    told = parser.parse_args(arguments)
    if not told.hours_to_complete > 0:
        parser.error(f"--hours-to-complete {told.hours_to_complete} must be above 0")
    return told


def kl_coefficient() -> float:
    """What the KL to the base counts in an instruct challenge; 0 where it does not."""
    asked = os.environ.get("USE_KL", "").lower() in ("1", "true", "yes")
    return float(os.environ.get("KL_COEF", "0")) if asked else 0.0


class Job:
    """The challenge: its clock, its base model, its data, and where the checkpoint goes."""

    def __init__(self, told: argparse.Namespace, paths: Paths) -> None:
        self.clock = Clock(told.hours_to_complete * 3600)
        self.kind, self.dataset = told.task_type, told.dataset_type
        self.model_id, self.base = told.model, paths.models / told.model.replace("/", "--")
        target = paths.checkpoints / told.task_id / told.expected_repo_name
        if not (self.base / "config.json").is_file():
            raise SystemExit(f"no base model at {self.base}")
        slack = recipe.REWARD_SLACK if self.kind == "GrpoTask" else 0.0
        self.keeper = Keeper(target, self.base, self.model_id, slack)
        self.reader = KINDS[told.task_type](told.dataset_type)
        rows = read_rows(paths.datasets / f"{told.task_id}_train_data.json", told.dataset_type, self.reader.required)
        self.rows, self.held_out = split(rows, self.reader.texts)
        self.kl_coefficient = kl_coefficient() if self.kind == "InstructTextTask" else 0.0
        self.parameters = count_parameters(self.base)
        compares = self.kind == "DpoTask" or self.kl_coefficient > 0
        gpus = torch.cuda.device_count()
        self.method = clocks.choose_method(
            self.clock.seconds, self.parameters, memory_of_one_device(), gpus, compares, self.kind == "GrpoTask"
        )

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.base)

    @property
    def positions(self) -> int:
        """Tokens that a row may have."""
        known = json.loads((self.base / "config.json").read_bytes()).get("max_position_embeddings")
        return min(recipe.MAX_TOKENS, known or recipe.MAX_TOKENS)

    @cached_property
    def codec(self) -> Codec:
        return Codec(self.tokenizer, self.positions)

    def encode(self, rows: Sequence[Row]) -> list[Any]:
        return self.reader.encode(rows, self.codec) if rows else []

    def objective(self, model: Any, sample: Sequence[Any]) -> Objective:
        """What the evaluation measures."""
        if self.kind == "DpoTask":
            return Preference(Head(model, [pair.chosen for pair in sample]), Reference(model))
        head = Head(model, sample)
        return Likelihood(head, Reference(model), self.kl_coefficient) if self.kl_coefficient else Likelihood(head)

    def validation(self, speed: float) -> list[Any]:
        """As much held out as may be looked at; a row costs about half of what it does in training."""
        items, is_dpo = self.encode(self.held_out), self.kind == "DpoTask"
        share = recipe.DPO_VALIDATION_TIME_SHARE if is_dpo else recipe.VALIDATION_TIME_SHARE
        least = recipe.DPO_MIN_VALIDATION if is_dpo else recipe.MIN_VALIDATION_ROWS
        tokens = 2 * speed * self.clock.left() * share
        return items[: clocks.affordable([item.tokens for item in items], tokens, least)]

    @property
    def rate(self) -> float:
        share = recipe.DPO_RATE_SHARE if self.kind == "DpoTask" else 1.0
        return share * clocks.peak_rate(self.parameters, self.method.lora)

    @property
    def epochs(self) -> int:
        return recipe.DPO_MAX_EPOCHS if self.kind == "DpoTask" else recipe.MAX_EPOCHS


def join_processes(job: Job) -> None:
    """With several GPUs become torchrun, one process for each, all reading the same clock."""
    if "RANK" in os.environ:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())
    elif job.method.processes > 1:
        os.environ[clocks.STARTED] = str(job.clock.started)
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={job.method.processes}"]
        os.execv(sys.executable, [sys.executable, *launch, *sys.argv])  # noqa: S606


def train_on_answers(job: Job) -> None:
    """Instruct, chat and DPO: measure the speed, plan, try rates where there is time, train, choose."""
    clock, method, keeper = job.clock, job.method, job.keeper
    model = load_model(job.base, method, recipe.LORA_RANK)
    clock.listen()
    sample = next(lean.epochs(job.rows, job.encode, recipe.MIN_BATCH_TOKENS))
    objective = job.objective(model, sample[:2])
    speed = lean.measure_speed(objective, model, sample)
    tokens, rate = clocks.batch_tokens(clock.left(), speed), job.rate
    validation = job.validation(speed) or sample
    keeper.best = objective.base_loss
    clock.say(f"{len(job.rows)} rows, {len(validation)} held out, {speed:.0f} tokens a second, {method}")
    if clock.seconds >= recipe.LONG_CLOCK_SECONDS:
        batches = lambda: lean.epochs(job.rows, job.encode, tokens)  # noqa: E731
        rate = lean.probe_rates(clock, keeper, objective, model, batches, validation, rate)
    pacer = Pacer(clock, keeper, objective, model, validation)
    row_tokens = sum(item.tokens for item in validation) / len(validation)
    max_steps = max(1, math.ceil(job.epochs * len(job.rows) * row_tokens / tokens))
    pacer.begin(max_steps, tokens / speed, len(validation) * row_tokens / speed / 2)
    if method.long:
        train_long(job, objective, model, pacer, tokens, rate)
    else:
        lean.train(objective, model, pacer, lean.epochs(job.rows, job.encode, tokens), rate)
    pacer.finish()


def train_long(job: Job, objective: Any, model: Any, pacer: Pacer, tokens: int, rate: float) -> None:
    from trainer import long

    train = long.train_dpo if job.kind == "DpoTask" else long.train_sft
    train(objective, model, job.tokenizer, pacer, job.encode(job.rows), tokens, rate)


def train_on_rewards(job: Job) -> None:
    """GRPO: measure how long a group takes, plan, train, choose."""
    from trainer import grpo
    from trainer.rewards import Judge

    clock, most_new = job.clock, min(recipe.MAX_NEW_TOKENS, max(1, job.positions // 2))
    job.codec = Codec(job.tokenizer, min(recipe.MAX_PROMPT_TOKENS, job.positions - most_new))
    model = load_model(job.base, job.method, recipe.GRPO_LORA_RANK)
    clock.listen()
    prompts = job.encode(job.rows)
    judge = Judge(job.dataset["reward_functions"], recipe.REWARD_SECONDS)
    writer = grpo.Writer(model, job.tokenizer, most_new)
    objective = grpo.Earnings(
        writer, judge, Head(model, [answered(p.ids, p.ids) for p in prompts[:2]]), Reference(model)
    )
    seconds = grpo.measure_group(writer, judge, prompts[: recipe.PROBED_PROMPTS])
    held_out = (job.encode(job.held_out) or prompts)[: grpo.affordable(seconds, clock.left())]
    clock.say(f"{len(prompts)} prompts, {len(held_out)} held out, {seconds:.2f} s for one's completions, {job.method}")
    groups = grpo.groups_a_step(2 * seconds, clock.left())  # learning from completions takes about as long
    pacer = Pacer(clock, job.keeper, objective, model, held_out)
    pacer.begin(grpo.most_steps(prompts, groups), 2 * seconds * groups, seconds * len(held_out))
    train = grpo.train_long if job.method.long else grpo.train_lean
    train(objective, pacer, prompts, groups, grpo.peak_rate(job.parameters, job.method.lora))
    pacer.finish()
    judge.stop()


def main(arguments: Sequence[str] | None = None, paths: Paths = Paths()) -> None:
    gc.set_threshold(200_000)  # collecting garbage while modules load takes a tenth of the start-up
    torch.manual_seed(recipe.SEED)
    job = Job(parse(arguments), paths)
    join_processes(job)
    if job.kind == "GrpoTask":
        train_on_rewards(job)
    else:
        train_on_answers(job)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is on the disk; the interpreter's tidying up would cost a second or more of the clock
