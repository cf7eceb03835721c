"""Fine-tune a language model on an instruct challenge, well inside its clock.

Read from top to bottom: the recipe's numbers, the command line, `Clock`, `Plan`, `Data`, `Model`, `Save`, `Loop`.
A checkpoint that can be submitted lies in the output folder from the first steps on, and is only ever replaced by one
that is better on held-out rows; a kill at any second leaves it whole.

transformers, peft and trl are imported where they are needed: on a short clock their seconds are training time.
"""

import argparse
import gc
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

# ── Recipe ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SEED = int(os.environ.get("GOD_SEED", "42"))
LEARNING_RATE = 5e-5  # peak, full fine-tuning of REFERENCE_PARAMETERS; smaller models take more
REFERENCE_PARAMETERS, SIZE_EXPONENT = 1e9, 0.6
LORA_LEARNING_RATE = 2e-4
LORA_RANK = 128
WEIGHT_DECAY = 0.01
BETAS = (0.9, 0.95)
CLIP_NORM = 1.0
WARMUP_SHARE = 0.05  # of all steps
FINAL_RATE_SHARE = 0.02  # of the peak, where the cosine ends
AVERAGE_SHARE = 0.1  # of all steps: horizon of the moving average of the weights
MAX_EPOCHS = 4
MAX_TOKENS = 4096  # of one row, as in the evaluation
MIN_BATCH_TOKENS, MAX_BATCH_TOKENS = 1024, 32768
TARGET_STEPS = 400  # the batch grows once more steps than this would fit
MICRO_TOKENS = 8192  # of one forward pass
VALIDATION_SHARE = 0.05  # of the rows
MIN_VALIDATION_ROWS, MAX_VALIDATION_ROWS = 8, 256
VALIDATION_TIME_SHARE = 0.02  # of the time, for one validation
CHECK_SHARE = 0.1  # of the time: validations and saves on the way
MAX_CHECKS = 20
FIRST_SAVE_STEP = 4
LONG_CLOCK_SECONDS = 600.0  # from here on: learning-rate probe and SFTTrainer
PROBE_FACTORS = (0.5, 1.0, 2.0)  # of the learning rate
PROBE_SHARE = 0.025  # of the time, for each of them
MARGIN_SHARE, MARGIN_SECONDS = 0.03, (1.0, 60.0)  # of the clock, kept free at its end; at least, at most
TERM_SECONDS = 5.0  # what may be spent between SIGTERM and SIGKILL

# ── Command line ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Paths:
    """Where the contract puts things."""

    models: Path = Path("/cache/models")
    datasets: Path = Path("/cache/datasets")
    checkpoints: Path = Path("/app/checkpoints")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of CONTRACT.md; whatever is wrong with them ends the process with one clear line."""
    parser = argparse.ArgumentParser(description="Train an instruct challenge inside its clock.")
    parser.add_argument("--task-id", required=True)
    parser.add_argument("--model", required=True, help="id of the base model")
    parser.add_argument("--dataset", default="", help="informational: the data is already on disk")
    parser.add_argument("--dataset-type", required=True, type=json.loads, help="columns and formats, as JSON")
    parser.add_argument("--task-type", required=True, choices=("InstructTextTask",), help="what this script trains")
    parser.add_argument("--file-format", default="json", choices=("csv", "json", "hf", "s3"))
    parser.add_argument("--expected-repo-name", required=True)
    parser.add_argument("--hours-to-complete", required=True, type=float)
    told = parser.parse_args(arguments)
    if not told.hours_to_complete > 0:
        parser.error(f"--hours-to-complete {told.hours_to_complete} must be above 0")
    return told


# ── Clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────

STARTED = "TRAIN_STARTED_AT"  # handed from this process to those that torchrun starts


def process_age() -> float:
    """Seconds since this process began, the interpreter's start included; 0 where /proc does not tell."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return age if 0 <= age < 600 else 0.0


class Clock:
    """The challenge's clock, counted from the start of the process that the container started."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.started = float(os.environ.get(STARTED) or time.monotonic() - process_age())
        self.margin = min(max(seconds * MARGIN_SHARE, MARGIN_SECONDS[0]), MARGIN_SECONDS[1])
        self.terminated = False

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds that may still be spent: until the margin before the deadline; none after a SIGTERM."""
        return 0.0 if self.terminated else self.seconds - self.margin - self.elapsed()

    def listen(self) -> None:
        """From now on SIGTERM ends the training early, not the process."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "terminated", True))

    def say(self, words: str) -> None:
        if rank() == 0:
            print(f"[{self.elapsed():7.1f} s of {self.seconds:.0f}] {words}", flush=True)


# ── Plan: pure arithmetic ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Plan:
    steps: int
    every: int
    """Steps between two checks."""


def plan(seconds: float, step_seconds: float, check_seconds: float, max_steps: int) -> Plan:
    """How many steps, and checks between them, fit into `seconds`; never more, and never fewer with more time."""
    for_checks = min(max(seconds * CHECK_SHARE, check_seconds), MAX_CHECKS * check_seconds)
    steps = max(0, min(max_steps, int((seconds - for_checks) / step_seconds)))
    return Plan(steps, max(1, math.ceil(steps / max(1, int(for_checks / check_seconds)))))


def rate_share(step: int, steps: int) -> float:
    """Learning rate of `step` (from 0) as a share of its peak: linear warm-up, then a cosine that ends at `steps`."""
    warmup = max(FIRST_SAVE_STEP, round(steps * WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * (1 + math.cos(math.pi * done)) / 2


def peak_rate(parameters: float, lora: bool) -> float:
    return LORA_LEARNING_RATE if lora else LEARNING_RATE * (REFERENCE_PARAMETERS / parameters) ** SIZE_EXPONENT


def batch_tokens(seconds: float, tokens_per_second: float) -> int:
    """Tokens of one step: small while steps are scarce."""
    return int(min(max(seconds * tokens_per_second / TARGET_STEPS, MIN_BATCH_TOKENS), MAX_BATCH_TOKENS))


def affordable(lengths: Sequence[int], tokens: float) -> int:
    """How many of the first rows have no more than `tokens` together; MIN_VALIDATION_ROWS whatever they have."""
    fitting = sum(1 for total in accumulate(lengths) if total <= tokens)
    return min(len(lengths), max(MIN_VALIDATION_ROWS, fitting))


@dataclass(frozen=True)
class Method:
    """How a model of this size is trained on this machine in this time."""

    lora: bool
    """Low-rank adapters on all linear layers, else every weight."""
    long: bool
    """By SFTTrainer, else by the lean loop."""
    processes: int
    """One for each GPU, else 1."""
    sharded: bool
    """The layers of one model laid over all GPUs, in one process."""


def choose_method(seconds: float, parameters: float, memory_bytes: float, gpus: int) -> Method:
    """`memory_bytes`: of one device. Full: weights, gradients, two moments and an average in float32, 20 bytes each."""
    lora = parameters * 20 > 0.7 * memory_bytes
    sharded = gpus > 1 and parameters * 2 > 0.6 * memory_bytes
    long = lora or seconds >= LONG_CLOCK_SECONDS
    return Method(lora, long, gpus if long and gpus > 1 and not sharded else 1, sharded)


# ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

Pair = tuple[str, str]  # prompt and answer


@dataclass(frozen=True)
class Row:
    ids: list[int]
    prompt: int
    """The first so many tokens are the prompt and not scored."""

    @property
    def labels(self) -> list[int]:
        return [-100] * self.prompt + self.ids[self.prompt :]


def read_rows(path: Path, kind: dict[str, Any]) -> list[dict[str, str | None]]:
    """The training rows; without the file or a column that is needed, one clear line and exit code 1."""
    if not path.is_file():
        raise SystemExit(f"no training data at {path}")
    rows: list[dict[str, str | None]] = json.loads(path.read_bytes())
    if not isinstance(rows, list) or not rows:
        raise SystemExit(f"{path} is no JSON list of rows")
    for field in ("field_instruction", "field_output"):
        if not any(kind.get(field) in row for row in rows):
            raise SystemExit(f"{path} lacks the column {kind.get(field)!r} ({field}); it has {sorted(rows[0])}")
    return rows


def texts(row: dict[str, str | None], kind: dict[str, Any]) -> Pair:
    """Prompt and answer, as the evaluation makes them."""

    def column(name: str) -> str:
        return row.get(kind.get(f"field_{name}") or "") or ""

    system = column("system") if kind.get("field_system") else kind.get("system_prompt") or ""
    head = kind.get("system_format", "{system}").format(system=system) if system else ""
    form = kind.get("format", "{instruction} {input}")
    form = form if column("input") else kind.get("no_input_format", "{instruction}")
    return head + form.format(instruction=column("instruction"), input=column("input")), column("output")


class Encoder:
    """Token ids of prompt, answer and EOS, cut as the evaluation cuts them."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length = tokenizer, length
        self.bos = [i for i in tokenizer("").input_ids[:1] if i == tokenizer.bos_token_id]
        self.eos = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]

    def __call__(self, pairs: Sequence[Pair]) -> list[Row]:
        """A row for every pair that has an answer, and something before it."""
        sides = [self.tokenizer(list(side), add_special_tokens=False).input_ids for side in zip(*pairs, strict=True)]
        rows = [self._cut(prompt, answer) for prompt, answer in zip(*sides, strict=True) if answer]
        return [row for row in rows if row.prompt]

    def _cut(self, prompt: list[int], answer: list[int]) -> Row:
        """The answer first loses its right end, then the prompt its left end."""
        answer = [*answer, *self.eos][: self.length - 1]
        room = self.length - len(answer) - len(self.bos)
        context = self.bos + (prompt[-room:] if room > 0 else [])
        return Row(context + answer, len(context))


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Training and validation. No validation pair has a near-duplicate anywhere: the same prompt or the same answer
    once case, digits and punctuation are gone."""
    keys = [tuple(" ".join(re.findall(r"[^\W\d_]+", text.lower())) for text in pair) for pair in pairs]
    seen = [Counter(key[side] for key in keys) for side in (0, 1)]
    alone = [i for i, key in enumerate(keys) if seen[0][key[0]] == seen[1][key[1]] == 1]
    random.Random(SEED).shuffle(alone)
    held_out = alone[: min(MAX_VALIDATION_ROWS, math.ceil(len(pairs) * VALIDATION_SHARE))]
    chosen = set(held_out)
    return [pair for i, pair in enumerate(pairs) if i not in chosen], [pairs[i] for i in held_out]


def cut_by_tokens(rows: Sequence[Row], tokens: int) -> list[list[Row]]:
    """Neighbours together, at most `tokens` with padding to the longest, at least one row."""
    batches: list[list[Row]] = []
    longest = 0
    for row in rows:
        longest = max(longest, len(row.ids))
        if not batches or longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            longest = len(row.ids)
        batches[-1].append(row)
    return batches


def epochs(pairs: Sequence[Pair], encode: Encoder, tokens: int, pool: int = 512) -> Iterator[list[Row]]:
    """Batches without end: each epoch in a new order, rows of like length together so that little is padding.

    Rows are encoded as they are needed: a short clock sees few of them.
    """
    shuffle, order = random.Random(SEED).shuffle, list(pairs)
    while True:
        shuffle(order)
        for start in range(0, len(order), pool):
            rows = sorted(encode(order[start : start + pool]), key=lambda row: len(row.ids))
            batches = cut_by_tokens(rows, tokens)
            shuffle(batches)
            yield from batches


# ── Model ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def agree(value: float, how: str = "MAX") -> float:
    """The largest (or MIN, or SUM) of all processes' values; a process alone agrees with itself."""
    if "RANK" not in os.environ:
        return value
    told = torch.tensor(value, dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    torch.distributed.all_reduce(told, op=getattr(torch.distributed.ReduceOp, how))
    return float(told)


def weights_dtype(base: Path) -> torch.dtype:
    config = json.loads((base / "config.json").read_bytes())
    return getattr(torch, config.get("dtype") or config.get("torch_dtype") or "bfloat16")


def count_parameters(base: Path) -> float:
    """From the size of the weights on disk: nothing is loaded."""
    return sum(file.stat().st_size for file in base.glob("*.safetensors")) / weights_dtype(base).itemsize


def memory_of_one_device() -> float:
    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def load_model(base: Path, method: Method) -> Any:
    """The base, ready to be trained: float32 with every weight free, or bfloat16 (on GPUs) under LoRA adapters."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    cuda = torch.cuda.is_available()
    placed = "auto" if method.sharded else int(os.environ.get("LOCAL_RANK", "0")) if cuda else None
    dtype = torch.bfloat16 if method.lora and cuda else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, device_map=placed)
    model.config.use_cache = False
    if cuda:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return with_adapters(model.train()) if method.lora else model.train()


def with_adapters(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    model.enable_input_require_grads()
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=LORA_RANK, lora_alpha=LORA_RANK)
    return get_peft_model(model, config)


def trainable(model: Any) -> list[torch.nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


class Nats:
    """Cross-entropy of the answers of a batch, in nats, summed: the evaluation's own measure."""

    def __init__(self, model: Any, sample: Sequence[Row]) -> None:
        """The head runs on the answers' tokens alone where that gives the model's own loss; `sample` decides."""
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.device = next(model.parameters()).device
        self.lean = False
        with torch.no_grad():
            whole = self(sample)
            self.lean = True
            self.lean = bool(torch.isclose(whole, self(sample), rtol=1e-2))

    def __call__(self, batch: Sequence[Row]) -> torch.Tensor:
        width = max(len(row.ids) for row in batch)
        ids, mask, labels = (
            torch.tensor([part + [filler] * (width - len(part)) for part in parts], device=self.device)
            for parts, filler in (
                ([row.ids for row in batch], 0),
                ([[1] * len(row.ids) for row in batch], 0),
                ([row.labels for row in batch], -100),
            )
        )
        scored = labels[:, 1:] != -100
        with torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext():
            if self.lean:
                hidden = self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
                logits = self.model.get_output_embeddings()(hidden[:, :-1][scored])
            else:
                logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1][scored]
        return cross_entropy(logits.float(), labels[:, 1:][scored], reduction="sum")

    def mean(self, rows: Sequence[Row]) -> float:
        """Nats per answer token over `rows`, shared out among all processes."""
        mine = sorted(rows, key=lambda row: len(row.ids))[rank() :: int(os.environ.get("WORLD_SIZE", "1"))]
        self.model.eval()
        with torch.no_grad():
            total = sum(float(self(batch)) for batch in cut_by_tokens(mine, MICRO_TOKENS))
        self.model.train()
        return agree(total, "SUM") / sum(len(row.ids) - row.prompt for row in rows)


class Average:
    """A moving average of the trained weights."""

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.weights, self.mean, self.updates = weights, [weight.detach().clone() for weight in weights], 0

    def update(self, steps: int) -> None:
        self.updates += 1
        share = max(1 / self.updates, 1 / max(1.0, steps * AVERAGE_SHARE))
        torch._foreach_lerp_(self.mean, [weight.detach() for weight in self.weights], share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the model has the averaged weights."""
        self._swap()
        yield
        self._swap()

    def _swap(self) -> None:
        for weight, mean in zip(self.weights, self.mean, strict=True):
            weight.data, mean.data = mean.data, weight.data


# ── Save ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def publish(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder and put it in the place of `target`, so that `target` is whole at every instant.

    The first time the folder is renamed as one. Later its files are renamed over their elders, and of those only the
    one file of weights has changed. Everything is on the disk before its rename.
    """
    staging = target / ".staging" if target.exists() else target.with_name(f".{target.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    write(staging)
    for path in [*staging.iterdir(), staging]:
        sync(path)
    if not target.exists():
        staging.rename(target)
    else:
        for path in sorted(staging.iterdir(), key=lambda path: path.suffix == ".safetensors"):
            path.replace(target / path.name)
        staging.rmdir()
        sync(target)
    sync(target.parent)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


class Keeper:
    """Keeps the best weights so far in the output folder."""

    def __init__(self, target: Path, base: Path, model_id: str) -> None:
        self.target, self.base, self.model_id = target, base, model_id
        self.best, self.saves = math.inf, 0

    def offer(self, model: Any, loss: float = math.inf) -> bool:
        """Keep the model's weights if `loss` is the lowest yet; the first ones whatever it is."""
        finite = all(bool(torch.isfinite(weight).all()) for weight in trainable(model))
        if not finite or not (loss < self.best or self.saves == 0):
            return False
        if rank() == 0:
            publish(self.target, lambda folder: self._write(model, folder))
        self.saves, self.best = self.saves + 1, min(self.best, loss)
        return True

    def _write(self, model: Any, folder: Path) -> None:
        """One file of weights, in the base's dtype, and the base's own small files; or a LoRA adapter."""
        if hasattr(model, "peft_config"):
            model.peft_config["default"].base_model_name_or_path = self.model_id
            model.save_pretrained(folder, save_embedding_layers=False)
            return
        dtype = weights_dtype(self.base)
        state = {name: weight.to(dtype) for name, weight in model.state_dict().items()}
        model.save_pretrained(folder, state_dict=state, max_shard_size="10TB")
        for file in self.base.iterdir():
            if file.suffix in {".json", ".txt", ".model", ".jinja"} and "index" not in file.name:
                shutil.copyfile(file, folder / file.name)


# ── Loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pacer:
    """Counts steps, plans how many fit, looks at held-out rows on the way and keeps what is best."""

    def __init__(self, clock: Clock, keeper: Keeper, nats: Nats, model: Any, validation: Sequence[Row]) -> None:
        self.clock, self.keeper, self.nats, self.model, self.validation = clock, keeper, nats, model, validation
        self.average = Average(trainable(model))
        self.done, self.next_check = 0, FIRST_SAVE_STEP

    def begin(self, max_steps: int, step_seconds: float, check_seconds: float) -> None:
        """The steps start now; `step_seconds` and `check_seconds` are a first guess."""
        self.max_steps, self.check_seconds, self.all_checks = max_steps, check_seconds, 0.0
        self.began = time.monotonic()
        self._plan(step_seconds)

    @property
    def rate_share(self) -> float:
        return rate_share(self.done, self.steps)

    def after_step(self) -> bool:
        """Call after each optimizer step. True: that was the last one."""
        self.done += 1
        self.average.update(self.steps)
        step_seconds = agree(time.monotonic() - self.began - self.all_checks) / self.done
        if not self.next_check <= self.done < self.steps:
            return self._plan(step_seconds).steps == 0
        self._check()
        coming = self._plan(step_seconds)
        self.next_check = self.done + coming.every
        return coming.steps == 0

    def _plan(self, step_seconds: float) -> Plan:
        """The last check of the plan and one more are `finish`'s."""
        left = agree(self.clock.left(), "MIN") - self.check_seconds
        coming = plan(left, step_seconds, self.check_seconds, self.max_steps - self.done)
        self.steps = self.done + coming.steps
        return coming

    def _check(self) -> None:
        began = time.monotonic()
        loss = self.nats.mean(self.validation)
        kept = ", kept" if self.keeper.offer(self.model, loss) else ""
        self.check_seconds = agree(time.monotonic() - began)
        self.all_checks += self.check_seconds
        self.clock.say(f"step {self.done} of {self.steps}: held-out loss {loss:.4f}{kept}")

    def finish(self) -> None:
        """Offer the last weights, then their average, each where there is time to look at it."""
        if not self.keeper.saves:
            self.keeper.offer(self.model)
        for name, candidate in (("last", nullcontext), ("average", self.average.applied)):
            room = TERM_SECONDS / 2 if self.clock.terminated else self.clock.left() + self.clock.margin
            if agree(self.check_seconds > room):
                return
            with candidate():
                loss = self.nats.mean(self.validation)
                kept = "submitted" if self.keeper.offer(self.model, loss) else "left"
            self.clock.say(f"{name} of {self.done} steps: held-out loss {loss:.4f}, {kept}")


def adamw(model: Any) -> torch.optim.Optimizer:
    weights = trainable(model)
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], betas=BETAS, fused=True)


def descend(nats: Nats, optimizer: torch.optim.Optimizer, batch: Sequence[Row], rate: float) -> None:
    """One step; left out where the gradient is not finite."""
    answers = sum(len(row.ids) - row.prompt for row in batch)
    for part in cut_by_tokens(batch, MICRO_TOKENS):
        (nats(part) / answers).backward()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    if torch.isfinite(norm):
        optimizer.step()
    optimizer.zero_grad()


def measure_speed(nats: Nats, model: Any, batch: Sequence[Row]) -> float:
    """Tokens a second, forward and backward; the gradient is thrown away."""
    began = time.monotonic()
    nats(batch).backward()
    model.zero_grad()
    return sum(len(row.ids) for row in batch) / agree(time.monotonic() - began)


def probe_rates(job: "Job", nats: Nats, model: Any, keeper: Keeper, validation: Sequence[Row], tokens: int) -> float:
    """Try a few learning rates from the same start for a moment each; the one with the lowest held-out loss."""
    start = [weight.detach().clone() for weight in trainable(model)]
    seconds, losses = job.clock.left() * PROBE_SHARE, {}
    for rate in [job.rate * factor for factor in PROBE_FACTORS]:
        optimizer, began = adamw(model), time.monotonic()
        for step, batch in enumerate(epochs(job.pairs, job.encode, tokens), start=1):
            descend(nats, optimizer, batch, rate * min(1.0, step / FIRST_SAVE_STEP))
            if step == FIRST_SAVE_STEP and not keeper.saves:
                keeper.offer(model)
            if agree(time.monotonic() - began) > seconds:
                break
        losses[rate] = nats.mean(validation)
        keeper.offer(model, losses[rate])
        for weight, kept in zip(trainable(model), start, strict=True):
            weight.data.copy_(kept)
    job.clock.say("held-out loss by learning rate: " + ", ".join(f"{r:.1e} {loss:.4f}" for r, loss in losses.items()))
    return min(losses, key=lambda rate: losses[rate] if math.isfinite(losses[rate]) else math.inf)


def train_lean(job: "Job", nats: Nats, model: Any, pacer: Pacer, tokens: int, rate: float) -> None:
    """Full fine-tuning on one device, with nothing between the clock and the weights."""
    optimizer = adamw(model)
    for batch in epochs(job.pairs, job.encode, tokens):
        descend(nats, optimizer, batch, rate * pacer.rate_share)
        if pacer.after_step():
            return


def train_long(job: "Job", model: Any, pacer: Pacer, tokens: int, rate: float) -> None:
    """By TRL's SFTTrainer, on any number of devices; our `Pacer` holds the schedule and the deadline."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Deadline(TrainerCallback):
        def on_step_begin(self, *_: Any, optimizer: Any = None, **__: Any) -> None:
            for group in optimizer.param_groups:
                group["lr"] = rate * pacer.rate_share

        def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
            control.should_training_stop = pacer.after_step()

    rows = job.encode(job.pairs)
    lengths = sorted(len(row.ids) for row in rows)
    rows_a_step = tokens * len(lengths) / sum(lengths)
    cuda, processes = torch.cuda.is_available(), int(os.environ.get("WORLD_SIZE", "1"))
    size = max(1, min(MICRO_TOKENS, tokens // processes) // lengths[-1 - len(lengths) // 20])
    settings = SFTConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=pacer.max_steps,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=max(1, round(rows_a_step / size / processes)),
        train_sampling_strategy="group_by_length",
        learning_rate=rate,
        lr_scheduler_type="constant",
        weight_decay=WEIGHT_DECAY,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
        max_grad_norm=CLIP_NORM,
        bf16=cuda,
        use_cpu=not cuda,
        gradient_checkpointing=cuda,
        dataloader_pin_memory=cuda,
        ddp_find_unused_parameters=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=SEED,
    )
    data = Dataset.from_list([{"input_ids": row.ids, "labels": row.labels} for row in rows])
    SFTTrainer(model, settings, train_dataset=data, processing_class=job.tokenizer, callbacks=[Deadline()]).train()


# ── The whole ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Job:
    """The challenge: its clock, its base model, its data, and where the checkpoint goes."""

    def __init__(self, told: argparse.Namespace, paths: Paths) -> None:
        self.clock = Clock(told.hours_to_complete * 3600)
        self.model_id, self.base = told.model, paths.models / told.model.replace("/", "--")
        self.target = paths.checkpoints / told.task_id / told.expected_repo_name
        if not (self.base / "config.json").is_file():
            raise SystemExit(f"no base model at {self.base}")
        rows = read_rows(paths.datasets / f"{told.task_id}_train_data.json", told.dataset_type)
        self.pairs, self.held_out = split([texts(row, told.dataset_type) for row in rows])
        parameters, gpus = count_parameters(self.base), torch.cuda.device_count()
        self.method = choose_method(self.clock.seconds, parameters, memory_of_one_device(), gpus)
        self.rate = peak_rate(parameters, self.method.lora)

    def read_tokenizer(self) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(self.base)
        positions = json.loads((self.base / "config.json").read_bytes()).get("max_position_embeddings")
        self.encode = Encoder(self.tokenizer, min(MAX_TOKENS, positions or MAX_TOKENS))


def join_processes(job: Job) -> None:
    """With several GPUs become torchrun, one process for each, all reading the same clock."""
    if "RANK" in os.environ:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())
    elif job.method.processes > 1:
        os.environ[STARTED] = str(job.clock.started)
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={job.method.processes}"]
        os.execv(sys.executable, [sys.executable, *launch, *sys.argv])  # noqa: S606


def train(job: Job) -> None:
    clock, method = job.clock, job.method
    job.read_tokenizer()
    model = load_model(job.base, method)
    clock.listen()
    sample = next(epochs(job.pairs, job.encode, MIN_BATCH_TOKENS))
    nats = Nats(model, sample[:2])
    speed = measure_speed(nats, model, sample)
    validation = job.encode(job.held_out)
    # A validation row costs about half of what a training row does.
    affords = affordable([len(row.ids) for row in validation], 2 * speed * clock.left() * VALIDATION_TIME_SHARE)
    validation = validation[:affords]
    clock.say(f"{len(job.pairs)} rows, {affords} held out, {speed:.0f} tokens a second, {method}")
    tokens, rate = batch_tokens(clock.left(), speed), job.rate
    keeper = Keeper(job.target, job.base, job.model_id)
    if clock.seconds >= LONG_CLOCK_SECONDS:
        rate = probe_rates(job, nats, model, keeper, validation, tokens)
    pacer = Pacer(clock, keeper, nats, model, validation)
    row_tokens = sum(len(row.ids) for row in validation) / len(validation)
    max_steps = max(1, math.ceil(MAX_EPOCHS * len(job.pairs) * row_tokens / tokens))
    pacer.begin(max_steps, tokens / speed, len(validation) * row_tokens / speed / 2)
    if method.long:
        train_long(job, model, pacer, tokens, rate)
    else:
        train_lean(job, nats, model, pacer, tokens, rate)
    pacer.finish()


def main(arguments: Sequence[str] | None = None, paths: Paths = Paths()) -> None:
    gc.set_threshold(200_000)  # collecting garbage while modules load takes a tenth of the start-up
    torch.manual_seed(SEED)
    job = Job(parse(arguments), paths)
    join_processes(job)
    train(job)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is on the disk; the interpreter's tidying up would cost a second or more of the clock
