"""Answers an evaluation's spec as the evaluator does, but the checkpoint says its loss, and how long that takes."""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def answer(spec: dict[str, Any]) -> None:
    loss, seconds = map(float, Path(spec["checkpoint"], "model.safetensors").read_text().split())
    time.sleep(seconds)
    rows = json.loads(Path(spec["test"]).read_bytes())
    examples = [
        {"row_id": number, "row_sha256": sha256(canonical(row)), "total": loss, "weight": 1}
        for number, row in enumerate(rows)
    ]
    lines = b"".join(canonical(example) + b"\n" for example in examples)
    outcome = {
        "type": "scored",
        "value": loss,
        "weight": len(rows),
        "rows": len(rows),
        "per_example_sha256": sha256(lines),
    }
    outputs = Path(spec["outputs"])
    outputs.mkdir()
    (outputs / "per_example.jsonl").write_bytes(lines)
    (outputs / "report.json").write_bytes(canonical({"spec_sha256": sha256(canonical(spec)), "outcome": outcome}))


print("evaluation begins", flush=True)
for folder in sys.argv[1:]:
    answer(json.loads(Path(folder, "spec.json").read_bytes()))
