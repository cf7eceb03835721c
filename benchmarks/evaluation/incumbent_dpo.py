"""`python -m benchmarks.evaluation.incumbent_dpo BASE CHECKPOINT TEST`: one DPO model, as the incumbent measures it.

A process of its own, which loads the base and the model and calls TRL's `DPOTrainer.evaluate` with batches of one
pair, so that the base's log-probabilities are computed for every model anew. Prints `eval_loss`, the mean over pairs.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import transformers
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

from benchmarks.evaluation.incumbent import load


def main() -> None:
    base, checkpoint, test = map(Path, sys.argv[1:])
    with TemporaryDirectory() as outputs:
        arguments = DPOConfig(
            output_dir=outputs,
            per_device_eval_batch_size=1,
            beta=0.1,
            report_to="none",
            use_cpu=not torch.cuda.is_available(),
            bf16=False,
        )
        rows = Dataset.from_list(json.loads(test.read_text()))
        trainer = DPOTrainer(
            model=load(base, checkpoint),
            ref_model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
            args=arguments,
            train_dataset=rows,
            eval_dataset=rows,
            processing_class=AutoTokenizer.from_pretrained(base),
        )
        print(json.dumps({"loss": trainer.evaluate()["eval_loss"]}), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
