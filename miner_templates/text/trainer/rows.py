"""The training rows, and those of them that are kept to validate on."""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer import recipe

Row = dict[str, Any]


def read_rows(path: Path, dataset: dict[str, Any], fields: Sequence[str]) -> list[Row]:
    """Without the file or a column that is needed, one clear line and exit code 1.

    Args:
        dataset: `--dataset-type`.
        fields: of it, those that name a column which must be there.
    """
    if not path.is_file():
        raise SystemExit(f"no training data at {path}")
    rows: list[Row] = json.loads(path.read_bytes())
    if not isinstance(rows, list) or not rows:
        raise SystemExit(f"{path} is no JSON list of rows")
    for field in fields:
        if not any(dataset.get(field) in row for row in rows):
            raise SystemExit(f"{path} lacks the column {dataset.get(field)!r} ({field}); it has {sorted(rows[0])}")
    return rows


def split(rows: Sequence[Row], texts: Callable[[Row], tuple[str, ...]]) -> tuple[list[Row], list[Row]]:
    """Training and validation. No validation row has a near-duplicate anywhere: none of its `texts` (prompt, answer)
    is another row's once case, digits and punctuation are gone."""
    keys = [tuple(plain(text) for text in texts(row)) for row in rows]
    seen = [Counter(column) for column in zip(*keys, strict=True)]
    alone = [number for number, key in enumerate(keys) if all(c[text] == 1 for c, text in zip(seen, key, strict=True))]
    random.Random(recipe.SEED).shuffle(alone)
    wanted = max(math.ceil(len(rows) * recipe.VALIDATION_SHARE), min(recipe.FEW_VALIDATION_ROWS, len(rows) // 10))
    held_out = alone[: min(recipe.MAX_VALIDATION_ROWS, wanted)]
    chosen = set(held_out)
    return [row for number, row in enumerate(rows) if number not in chosen], [rows[number] for number in held_out]


def plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))
