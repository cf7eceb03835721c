"""Rows of a source → rows of a challenge: standard columns, cleaned, split by the challenge's seed. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from core.challenge import DatasetInfo
from core.value import canonical_json, sha256_hex

Row = dict[str, str]


def clean_rows(source: Sequence[Mapping[str, Any]], dataset: DatasetInfo) -> tuple[list[Row], dict[str, int]]:
    """Standard columns as strings; rows without instruction or output and exact repeats are dropped and counted.

    Raises ValueError when a column that the dataset promises is in no row.
    """
    known = {column for row in source for column in row}
    if missing := sorted(set(dataset.columns.values()) - known):
        raise ValueError(f"dataset {dataset.dataset_id} has no column {', '.join(missing)}; it has {sorted(known)}")
    rows: list[Row] = []
    seen: set[str] = set()
    dropped: Counter[str] = Counter()
    for item in source:
        row = {ours: _text(item.get(theirs)) for ours, theirs in dataset.columns.items()}
        if reason := _objection(row, seen):
            dropped[reason] += 1
            continue
        seen.add(row_sha256(row))
        rows.append(row)
    return rows, dict(dropped)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _objection(row: Row, seen: set[str]) -> str | None:
    if not row.get("instruct", "").strip():
        return "no instruction"
    if not row.get("output", "").strip():
        return "no output"
    return "repeated" if row_sha256(row) in seen else None


def row_sha256(row: Mapping[str, Any]) -> str:
    return sha256_hex(canonical_json(row))


def split(rows: Sequence[Row], seed: str, test_rows: int) -> tuple[list[Row], list[Row]]:
    """Train and test rows. The order is by SHA-256 of seed and row, so the source's order does not matter."""
    drawn = sorted(rows, key=lambda row: sha256(f"{seed}:{row_sha256(row)}".encode()).hexdigest())
    return drawn[test_rows:], drawn[:test_rows]
