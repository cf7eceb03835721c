"""`python -m benchmarks.evaluation.incumbent BASE CHECKPOINT TEST`: one model as the incumbent measures it.

A process of its own, which loads the model and calls transformers' `Trainer.evaluate` with batches of one row. Prints
`eval_loss`: the mean over rows of each row's mean over its answer tokens.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments


def main() -> None:
    base, checkpoint, test = map(Path, sys.argv[1:])
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = [_row(tokenizer, row) for row in json.loads(test.read_text())]
    with TemporaryDirectory() as outputs:
        arguments = TrainingArguments(
            output_dir=outputs, per_device_eval_batch_size=1, report_to="none", use_cpu=not torch.cuda.is_available()
        )
        trainer = Trainer(
            model=load(base, checkpoint),
            args=arguments,
            eval_dataset=rows,
            data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
        )
        print(json.dumps({"loss": trainer.evaluate()["eval_loss"]}), flush=True)


def load(base: Path, checkpoint: Path) -> Any:
    if (checkpoint / "adapter_config.json").exists():
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        return PeftModel.from_pretrained(model, str(checkpoint))
    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)


def _row(tokenizer: Any, row: dict[str, str]) -> dict[str, list[int]]:
    prompt = tokenizer(row["instruct"]).input_ids
    answer = [*tokenizer(row["output"], add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    tokens = prompt + answer
    return {"input_ids": tokens, "attention_mask": [1] * len(tokens), "labels": [-100] * len(prompt) + answer}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
