"""Learning from rewards: groups of completions of one prompt, judged; what earned more than its group is made likelier.

On a long clock by TRL's GRPOTrainer with small adapters, on a short one by plain torch with every weight.
"""

import math
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax

from trainer import lean, recipe
from trainer.clock import by_size
from trainer.model import Reference, agree, rank, world_size
from trainer.objectives import Head, Objective
from trainer.pacer import Pacer
from trainer.rewards import Judge
from trainer.samples import Prompt, Sample, answered


@dataclass
class Writer:
    """Completions as the evaluation draws them: temperature 1, the whole vocabulary, to the end or the last place."""

    model: Any
    tokenizer: Any
    most_tokens: int

    def write(self, prompts: Sequence[Prompt], count: int) -> list[list[int]]:
        """`count` completions of each prompt, neighbours, with the token that ends them."""
        self.model.eval()
        with torch.no_grad():
            written = self._write([prompt.ids for prompt in prompts for _ in range(count)])
        self.model.train()
        return written

    def _write(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """Who has ended is left out, so that the longest few cost little."""
        ids, mask = self._padded(rows)
        places = (mask.cumsum(1) - 1).clamp(min=0)
        read = self.model(input_ids=ids, attention_mask=mask, position_ids=places, use_cache=True)
        written: list[list[int]] = [[] for _ in rows]
        writing = torch.arange(len(rows))
        while len(writing):
            drawn = torch.multinomial(read.logits[:, -1].float().softmax(-1), 1)
            for row, token in zip(writing.tolist(), drawn[:, 0].tolist(), strict=True):
                written[row].append(token)
            on = [at for at, row in enumerate(writing.tolist()) if self._goes_on(written[row])]
            if not on:
                break
            chosen, writing = torch.tensor(on, device=ids.device), writing[on]
            if len(on) < len(drawn):
                read.past_key_values.batch_select_indices(chosen)
            mask = torch.cat([mask[chosen], mask.new_ones(len(on), 1)], dim=1)
            read = self.model(
                input_ids=drawn[chosen],
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=read.past_key_values,
                use_cache=True,
            )
        return written

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """On the left."""
        width, device = max(map(len, rows)), next(self.model.parameters()).device
        ids = [[0] * (width - len(row)) + list(row) for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def _goes_on(self, tokens: Sequence[int]) -> bool:
        return len(tokens) < self.most_tokens and tokens[-1] not in self.ends

    @cached_property
    def ends(self) -> set[int]:
        """Tokens that end a text."""
        declared = self.model.config.eos_token_id
        return {self.tokenizer.eos_token_id, *(declared if isinstance(declared, list) else [declared])} - {None}

    def text(self, tokens: Sequence[int]) -> str:
        kept = [token for token in tokens if token not in self.ends]
        return self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class Earnings(Objective):
    """The evaluation's score with its sign turned: what completions earn, less the drift from the base. Its loss is
    the policy gradient's."""

    def __init__(self, writer: Writer, judge: Judge, head: Head, reference: Reference) -> None:
        self.writer, self.judge, self.head, self.reference = writer, judge, head, reference

    def mean(self, prompts: Sequence[Prompt]) -> float:
        """With the same random numbers every time."""
        mine = list(prompts[rank() :: world_size()])
        with torch.random.fork_rng():
            torch.manual_seed(recipe.SEED)
            rewards = rewards_of(self.writer, self.judge, mine)[1] if mine else []
        drift = recipe.REWARD_KL * math.fsum(map(self._drift, mine))
        return -agree(math.fsum(rewards) / recipe.GROUP - drift, "SUM") / len(prompts)

    def _drift(self, prompt: Prompt) -> float:
        """KL(base ‖ model) over the prompt's tokens, nats per token."""
        ids = torch.tensor([prompt.ids], device=self.head.device)
        with torch.no_grad():
            ours = log_softmax(self.writer.model(input_ids=ids).logits[0].float(), dim=-1)
        with self.reference.answers() as base:
            theirs = log_softmax(base(input_ids=ids).logits[0].float(), dim=-1)
        return float(kl_div(ours, theirs, reduction="sum", log_target=True)) / prompt.tokens

    def loss(self, batch: Sequence["Try"]) -> torch.Tensor:
        """Nats of completions, each times how much better than its group it was: what earned more becomes likelier."""
        advantages = torch.tensor([each.advantage for each in batch], device=self.head.device)
        return (self.head.nats([each.sample for each in batch]) * advantages).sum()

    def units(self, batch: Sequence["Try"]) -> int:
        return sum(each.sample.scored for each in batch)


@dataclass
class Try:
    """A completion, and by how many standard deviations it earned more than its group."""

    sample: Sample
    advantage: float

    @property
    def tokens(self) -> int:
        return self.sample.tokens


def rewards_of(writer: Writer, judge: Judge, prompts: Sequence[Prompt]) -> tuple[list[list[int]], list[float]]:
    """A group of completions for each prompt, and what they earn."""
    written = writer.write(prompts, recipe.GROUP)
    whose = [prompt for prompt in prompts for _ in range(recipe.GROUP)]
    return written, judged(judge, whose, [writer.text(tokens) for tokens in written])


def judged(judge: Judge, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float]:
    """A reward for each text; neighbours of one prompt are judged together, as the evaluation does."""
    found: list[float] = []
    for _, group in groupby(zip(prompts, texts, strict=True), key=lambda each: id(each[0])):
        of, said = zip(*group, strict=True)
        found += judge.rewards(said, of[0].text, of[0].extra)
    return found


def tries(writer: Writer, judge: Judge, prompts: Sequence[Prompt]) -> list[Try]:
    """One step's completions; groups in which all earned the same teach nothing and are left out."""
    written, rewards = rewards_of(writer, judge, prompts)
    found: list[Try] = []
    for number, prompt in enumerate(prompts):
        group = slice(number * recipe.GROUP, (number + 1) * recipe.GROUP)
        mean, deviation = statistics.fmean(rewards[group]), statistics.pstdev(rewards[group])
        if deviation > 1e-6:
            gains = [(reward - mean) / deviation for reward in rewards[group]]
            found += [Try(answered(prompt.ids, w), gain) for w, gain in zip(written[group], gains, strict=True)]
    return sorted(found, key=lambda each: each.tokens)


def draws(prompts: Sequence[Prompt], groups: int) -> Iterator[list[Prompt]]:
    """The prompts of each step, without end; a single one first, so that there is soon something to save."""
    chance, order = random.Random(recipe.SEED), list(prompts)
    yield order[:1]
    while True:
        chance.shuffle(order)
        for start in range(0, max(1, len(order) - groups + 1), groups):
            yield order[start : start + groups]


def affordable(seconds: float, left: float) -> int:
    """Prompts of one validation, of which one takes `seconds`."""
    fitting = int(left * recipe.REWARD_VALIDATION_SHARE / seconds)
    return max(recipe.MIN_REWARD_VALIDATION, min(recipe.MAX_VALIDATION_ROWS, fitting))


def groups_a_step(seconds: float, left: float) -> int:
    """Prompts of one step, of which one takes `seconds`: fewer while steps are scarce."""
    return max(1, min(recipe.GROUPS, int(left / seconds / recipe.MIN_REWARD_STEPS)))


def most_steps(prompts: Sequence[Prompt], groups: int) -> int:
    return max(1, int(recipe.MAX_EPOCHS * len(prompts) / groups))


def peak_rate(parameters: float, lora: bool) -> float:
    return (recipe.GRPO_LORA_LEARNING_RATE if lora else recipe.GRPO_LEARNING_RATE) * by_size(parameters)


def measure_group(writer: Writer, judge: Judge, prompts: Sequence[Prompt]) -> float:
    """Seconds of writing and judging one group, some of them together."""
    began = time.monotonic()
    rewards_of(writer, judge, prompts)
    return agree(time.monotonic() - began) / len(prompts)


def train_lean(objective: Earnings, pacer: Pacer, prompts: Sequence[Prompt], groups: int, rate: float) -> None:
    optimizer = lean.adamw(objective.writer.model)
    for drawn in draws(prompts, groups):
        batch = tries(objective.writer, objective.judge, drawn)
        if batch:
            lean.descend(objective, optimizer, batch, rate * pacer.rate_share)
        if pacer.after_step():
            return


def train_long(objective: Earnings, pacer: Pacer, prompts: Sequence[Prompt], groups: int, rate: float) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from trainer.long import Deadline, common

    class Trainer(GRPOTrainer):
        def _tokenize_prompts(self, numbers: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            """The tokens are ours already; a prompt is told by its number."""
            return [prompts[int(number)].ids for number in numbers], None, {}

    def reward(completions: Sequence[str], **columns: Any) -> list[float]:
        return judged(objective.judge, [prompts[int(number)] for number in columns["prompts"]], completions)

    settings = GRPOConfig(
        **common(pacer, rate),
        per_device_train_batch_size=recipe.GROUP * groups,
        num_generations=recipe.GROUP,
        max_completion_length=objective.writer.most_tokens,
        loss_type="dr_grpo",
        top_k=0,
    )
    numbers = Dataset.from_dict({"prompt": [str(number) for number in range(len(prompts))]})
    Trainer(
        objective.writer.model,
        reward,
        settings,
        numbers,
        processing_class=objective.writer.tokenizer,
        callbacks=[Deadline(pacer, rate)],
    ).train()
