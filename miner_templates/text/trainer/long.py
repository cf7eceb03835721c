"""The long way: TRL's trainers, on any number of devices. Our `Pacer` holds their schedule and the deadline, our
objectives their masks and losses."""

import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback

from trainer import recipe
from trainer.model import world_size
from trainer.objectives import Likelihood, Preference
from trainer.pacer import Pacer
from trainer.samples import Pair, Sample


class Deadline(TrainerCallback):
    """Sets the rate of each step, and ends the training."""

    def __init__(self, pacer: Pacer, rate: float) -> None:
        self.pacer, self.rate = pacer, rate

    def on_step_begin(self, *_: Any, optimizer: Any = None, **__: Any) -> None:
        for group in optimizer.param_groups:
            group["lr"] = self.rate * self.pacer.rate_share

    def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
        control.should_training_stop = self.pacer.after_step()


def common(pacer: Pacer, rate: float) -> dict[str, Any]:
    """Settings of all trainers."""
    cuda = torch.cuda.is_available()
    return {
        "output_dir": tempfile.mkdtemp(),
        "max_steps": pacer.max_steps,
        "learning_rate": rate,
        "lr_scheduler_type": "constant",
        "weight_decay": recipe.WEIGHT_DECAY,
        "adam_beta1": recipe.BETAS[0],
        "adam_beta2": recipe.BETAS[1],
        "max_grad_norm": recipe.CLIP_NORM,
        "bf16": cuda,
        "use_cpu": not cuda,
        "gradient_checkpointing": cuda,
        "dataloader_pin_memory": cuda,
        "ddp_find_unused_parameters": False,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "seed": recipe.SEED,
    }


def sizes(items: Sequence[Any], tokens: int) -> dict[str, int]:
    """Rows of a forward pass, by the longest but the last twentieth, and how many passes make a step of `tokens`."""
    lengths = sorted(item.tokens for item in items)
    rows_a_step = tokens * len(lengths) / sum(lengths)
    size = max(1, min(recipe.MICRO_TOKENS, tokens // world_size()) // lengths[-1 - len(lengths) // 20])
    passes = max(1, round(rows_a_step / size / world_size()))
    return {"per_device_train_batch_size": size, "gradient_accumulation_steps": passes}


def train_sft(
    objective: Likelihood, model: Any, tokenizer: Any, pacer: Pacer, samples: Sequence[Sample], tokens: int, rate: float
) -> None:
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):
        def compute_loss(self, model: Any, inputs: Any, *told: Any, num_items_in_batch: Any = None) -> Any:
            """TRL's own, unless the challenge counts the KL to the base."""
            if objective.reference is None:
                return super().compute_loss(model, inputs, *told, num_items_in_batch=num_items_in_batch)
            loss, answers = regularised(objective, model, inputs)
            return loss / answers if num_items_in_batch is None else loss * world_size() / num_items_in_batch

    settings = SFTConfig(
        **common(pacer, rate),
        **sizes(samples, tokens),
        train_sampling_strategy="group_by_length",
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )
    data = Dataset.from_list([{"input_ids": sample.ids, "labels": sample.labels} for sample in samples])
    Trainer(model, settings, train_dataset=data, processing_class=tokenizer, callbacks=[Deadline(pacer, rate)]).train()


def regularised(objective: Likelihood, model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """The objective of a padded batch, summed, and its answer tokens."""
    scored = inputs["labels"][:, 1:] != -100
    read = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with objective.reference.answers() as base:
        expected = base(**read).logits[:, :-1][scored].float()
    logits = model(**read).logits[:, :-1][scored].float()
    return objective.regularised(logits, inputs["labels"][:, 1:][scored], expected), int(scored.sum())


def train_dpo(
    objective: Preference, model: Any, tokenizer: Any, pacer: Pacer, pairs: Sequence[Pair], tokens: int, rate: float
) -> None:
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    class Trainer(DPOTrainer):
        def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
            """The tokens are ours already."""
            return dataset

        def _precompute_ref_logps(self, dataset: Dataset, *_: Any) -> Dataset:
            """What the base thinks is asked where it is needed, and kept."""
            return dataset

    plain = DataCollatorForPreference(pad_token_id=0)

    def collate(rows: Sequence[dict[str, int]]) -> dict[str, Any]:
        batch = [pairs[row["prompt_ids"]] for row in rows]
        objective.compare(batch)
        tensors = plain([_columns(pair) for pair in batch])
        tensors["ref_chosen_logps"] = torch.tensor([pair.reference for pair in batch])
        return tensors | {"ref_rejected_logps": torch.zeros(len(batch))}

    settings = DPOConfig(
        **common(pacer, rate), **sizes(pairs, tokens), beta=recipe.DPO_BETA, precompute_ref_log_probs=True
    )
    numbers = Dataset.from_dict({"prompt_ids": list(range(len(pairs)))})
    trainer = Trainer(
        model, None, settings, collate, numbers, processing_class=tokenizer, callbacks=[Deadline(pacer, rate)]
    )
    if hasattr(model, "peft_config"):
        model.delete_adapter("ref")  # TRL's copy of fresh adapters: the base without any says the same
    trainer.train()


def _columns(pair: Pair) -> dict[str, list[int]]:
    context = pair.context
    return {
        "prompt_ids": pair.chosen.ids[:context],
        "chosen_ids": pair.chosen.ids[context:],
        "rejected_ids": pair.rejected.ids[context:],
    }
