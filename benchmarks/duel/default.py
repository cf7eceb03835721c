"""The opponent: TRL's trainers with their own default hyper-parameters and LoRA of rank 16, whatever the challenge.

It is given what a default would not have: it stops before its clock is up, so that it always has something to show.
Run as a contestant: the training contract's arguments, `--root` beside them.
"""

import json
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STARTED = time.monotonic()
MARGIN_SECONDS = 2.0
LORA: dict[str, Any] = {
    "r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.05,
    "target_modules": "all-linear",
    "task_type": "CAUSAL_LM",
}
CPU: dict[str, Any] = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False}
QUIET: dict[str, Any] = {"save_strategy": "no", "logging_strategy": "no", "report_to": [], "disable_tqdm": True}

Row = dict[str, Any]


def parse(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser()
    for name in ("root", "task-id", "model", "dataset-type", "task-type", "expected-repo-name"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--hours-to-complete", required=True, type=float)
    parser.add_argument("--rate-factor", type=float, default=1.0, help="of the trainers' default learning rates")
    return parser.parse_known_args(arguments)[0]


def answered(row: Row, kind: dict[str, Any]) -> Row:
    """An instruct row as a prompt and its completion."""
    instruction, extra = row[kind["field_instruction"]], row.get(kind.get("field_input") or "") or ""
    form = kind["format"] if extra else kind["no_input_format"]
    return {"prompt": form.format(instruction=instruction, input=extra), "completion": row[kind["field_output"]]}


def conversation(row: Row, kind: dict[str, Any]) -> Row:
    turns = row[kind["chat_column"]]
    said = [{"role": turn[kind["chat_role_field"]], "content": turn[kind["chat_content_field"]]} for turn in turns]
    return {"messages": said}


def preference(row: Row, kind: dict[str, Any]) -> Row:
    return {name: row[kind[f"field_{name}"]] for name in ("prompt", "chosen", "rejected")}


def question(row: Row, kind: dict[str, Any]) -> Row:
    return {"prompt": row[kind["field_prompt"]], "extra_data": row.get(kind["extra_column"] or "")}


def reward_functions(kind: dict[str, Any]) -> tuple[list[Any], list[float]]:
    """Our own collection's: no hostile text comes here."""
    functions = []
    for given in kind["reward_functions"]:
        module: dict[str, Any] = {}
        exec(given["reward_func"], module)  # noqa: S102
        functions.append(next(each for each in module.values() if callable(each)))
    return functions, [given["reward_weight"] for given in kind["reward_functions"]]


def stops_at(deadline: float) -> Any:
    from transformers import TrainerCallback

    class Deadline(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.last, self.longest = time.monotonic(), 0.0

        def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
            now = time.monotonic()
            self.longest, self.last = max(self.longest, now - self.last), now
            control.should_training_stop = now + self.longest > deadline

    return Deadline()


def trainer_of(told: Namespace, model: str, rows: list[Row], deadline: float) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    kind, tokenizer = json.loads(told.dataset_type), AutoTokenizer.from_pretrained(model)
    settings = {"output_dir": tempfile.mkdtemp(), **CPU, **QUIET}
    common: dict[str, Any] = {
        "processing_class": tokenizer,
        "peft_config": LoraConfig(**LORA),
        "callbacks": [stops_at(deadline)],
    }
    rate = {"SFT": 2e-5, "DPO": 1e-6, "GRPO": 1e-6}
    rate = {name: value * told.rate_factor for name, value in rate.items()}
    if told.task_type == "GrpoTask":
        functions, weights = reward_functions(kind)
        config = GRPOConfig(learning_rate=rate["GRPO"], reward_weights=weights, max_completion_length=256, **settings)
        data = Dataset.from_list([question(row, kind) for row in rows])
        return GRPOTrainer(model, functions, args=config, train_dataset=data, **common)
    if told.task_type == "DpoTask":
        data = Dataset.from_list([preference(row, kind) for row in rows])
        return DPOTrainer(model, args=DPOConfig(learning_rate=rate["DPO"], **settings), train_dataset=data, **common)
    read = conversation if told.task_type == "ChatTask" else answered
    if told.task_type == "ChatTask" and kind["chat_template"] == "chatml":
        from evaluators.templates import CHATML

        tokenizer.chat_template = CHATML
    data = Dataset.from_list([read(row, kind) for row in rows])
    return SFTTrainer(model, args=SFTConfig(learning_rate=rate["SFT"], **settings), train_dataset=data, **common)


def main(arguments: Sequence[str]) -> None:
    told = parse(arguments)
    root, clock = Path(told.root), told.hours_to_complete * 3600
    rows = json.loads((root / "datasets" / f"{told.task_id}_train_data.json").read_bytes())
    base = root / "models" / told.model.replace("/", "--")
    trainer = trainer_of(told, str(base), rows, STARTED + clock - MARGIN_SECONDS)
    trainer.train()
    trainer.model.save_pretrained(root / "checkpoints" / told.task_id / told.expected_repo_name)


if __name__ == "__main__":
    main(sys.argv[1:])
