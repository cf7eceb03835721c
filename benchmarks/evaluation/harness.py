"""`python -m benchmarks.evaluation.harness BASE TEST BATCH CHECKPOINT…`: models as lm-evaluation-harness reads them.

One process for all, which loads each model and asks `HFLM.loglikelihood` for every row's answer. Prints each model's
list of nats, a line each.
"""

import json
import logging
import sys
from pathlib import Path

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM


def main() -> None:
    base, test, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pairs = [(row["instruct"], f" {row['output']} </s>") for row in json.loads(test.read_text())]
    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=number) for number, pair in enumerate(pairs)
    ]
    for checkpoint in map(Path, sys.argv[4:]):
        answers = _load(base, checkpoint, batch).loglikelihood(asked, disable_tqdm=True)
        print(json.dumps([-log_probability for log_probability, _ in answers]), flush=True)


def _load(base: Path, checkpoint: Path, batch: int) -> HFLM:
    adapter = (checkpoint / "adapter_config.json").exists()
    return HFLM(
        pretrained=str(base if adapter else checkpoint),
        peft=str(checkpoint) if adapter else None,
        tokenizer=str(base),
        dtype="float32",
        batch_size=batch,
        device="cuda" if torch.cuda.is_available() else "cpu",
        add_bos_token=True,
    )


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main()
