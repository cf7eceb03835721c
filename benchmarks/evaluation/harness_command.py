"""lm-evaluation-harness as its users run it: its command, with a task of their own, for one model."""

import json
from pathlib import Path

import torch

BATCH = 8
"""Of 1, 8 and 16 the quickest here (docs/decisions/0007-evaluation-engine.md)."""
TASK = """task: rows
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{test}"}}}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{instruct}}}}"
doc_to_target: " {{{{output}}}} </s>"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


def write_task(test: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / "rows.yaml").write_text(TASK.format(test=test))
    return folder


def arguments(base: Path, checkpoint: Path, tasks: Path, outputs: Path) -> list[str]:
    adapter = (checkpoint / "adapter_config.json").exists()
    model = f"pretrained={base},peft={checkpoint}" if adapter else f"pretrained={checkpoint}"
    return [
        *("--model", "hf", "--model_args", f"{model},tokenizer={base},dtype=float32,add_bos_token=True"),
        *("--tasks", "rows", "--include_path", str(tasks), "--batch_size", str(BATCH)),
        *("--device", "cuda" if torch.cuda.is_available() else "cpu"),
        *("--log_samples", "--output_path", str(outputs)),
    ]


def nats(outputs: Path) -> list[float]:
    """Of every row's answer, in order."""
    (file,) = outputs.rglob("samples_rows_*.jsonl")
    samples = sorted((json.loads(line) for line in file.open()), key=lambda sample: int(sample["doc_id"]))
    return [-float(sample["filtered_resps"][0][0]) for sample in samples]
