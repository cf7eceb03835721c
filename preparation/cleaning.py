"""Rows with the standard columns of their kind; what cannot be used is dropped, counted and shown by an example."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from core.challenge import ChallengeKind, DatasetInfo
from core.value import canonical_json, sha256_hex
from preparation.columns import check_columns, given_chat, required_columns
from preparation.conversations import conversation
from preparation.objection import EmptyRowError, ObjectionError
from preparation.tally import Tally

Row = dict[str, Any]
"""Standard column → text; of a chat, `conversations` → a list of messages."""

MOST_CHARACTERS = 200_000
"""Of one row. A model is shown some 16,000; what is far beyond only fills memory."""
MOST_EMPTY = Decimal("0.8")
"""With a larger share of rows that are empty in every column, the columns must be wrong ones."""
_SAID = {"instruct": "instruction", "chosen": "chosen answer", "rejected": "rejected answer"}


@dataclass(frozen=True)
class Numbered:
    """A usable row, and where it came from."""

    row: Row
    sha256: str
    dataset_id: str
    number: int
    """Of the row in its dataset, from 1."""


def clean_rows(
    source: Sequence[Mapping[str, Any]], dataset: DatasetInfo, tally: Tally, seen: set[str] | None = None
) -> list[Numbered]:
    """The usable rows in their order; the others are told to the tally.

    Args:
        seen: SHA-256 of rows that are there already, and to which these are added: their repeats are dropped.

    Raises ValueError when the dataset as a whole does not serve: wrong columns, or nearly all of it empty.
    """
    check_columns(source, dataset)
    seen = set() if seen is None else seen
    empty = 0
    rows: list[Numbered] = []
    for number, item in enumerate(source, start=1):
        try:
            rows.append(_take(item, dataset, number, tally, seen))
        except ObjectionError as objection:
            empty += isinstance(objection, EmptyRowError)
            tally.drop(str(objection), dataset.dataset_id, number)
    if empty > MOST_EMPTY * len(source):
        raise ValueError(
            f"{empty} of {len(source)} rows of dataset {dataset.dataset_id} are empty in every one of the columns "
            f"{sorted(dataset.columns.values())}: are they the right ones? Correct its entry in the hub"
        )
    return rows


def _take(item: Any, dataset: DatasetInfo, number: int, tally: Tally, seen: set[str]) -> Numbered:
    if not isinstance(item, Mapping):
        raise ObjectionError("no object of columns")
    messages_lost, row = _standard(item, dataset)
    digest = row_sha256(row)
    if digest in seen:
        raise ObjectionError("repeated")
    seen.add(digest)
    tally.messages += messages_lost
    return Numbered(row, digest, dataset.dataset_id, number)


def standard_row(item: Mapping[str, Any], dataset: DatasetInfo) -> Row:
    """One row with the standard columns. Raises ObjectionError when it is not usable."""
    return _standard(item, dataset)[1]


def _standard(item: Mapping[str, Any], dataset: DatasetInfo) -> tuple[int, Row]:
    """How many messages were left out, and the row."""
    if dataset.kind is ChallengeKind.CHAT:
        read = conversation(item.get(dataset.columns["conversations"]), given_chat(dataset))
        row: Row = {"conversations": read.messages}
        _check_texts(row)
        return read.left_out, row
    row = {ours: _text(ours, item.get(theirs)) for ours, theirs in dataset.columns.items()}
    _check_texts(row)
    _check_filled(row, dataset)
    return 0, row


def _text(column: str, value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal | date):
        return str(value)
    if column == "extra_data" and isinstance(value, dict | list):
        return _json(value)
    raise ObjectionError(f"{column} is no text but {_article(type(value).__name__)}")


def _json(value: Any) -> str:
    try:
        return canonical_json(value).decode()
    except (TypeError, ValueError, RecursionError) as e:
        raise ObjectionError("extra_data is no JSON") from e


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _check_texts(row: Row) -> None:
    texts = list(texts_of(row))
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise ObjectionError(f"longer than {MOST_CHARACTERS:,} characters")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as e:
        raise ObjectionError("broken text: half of a surrogate pair, which UTF-8 does not have") from e


def _check_filled(row: Row, dataset: DatasetInfo) -> None:
    if not any(text.strip() for text in row.values()):
        raise EmptyRowError("empty")
    for column in required_columns(dataset):
        if not row[column].strip():
            raise ObjectionError(f"no {_SAID.get(column, column)}")
    if dataset.kind is ChallengeKind.DPO and row["chosen"].strip() == row["rejected"].strip():
        raise ObjectionError("chosen and rejected answer are equal")


def texts_of(row: Row) -> Iterator[str]:
    """Every text of a row: its columns in the order of their names, a conversation's messages one by one."""
    for _, value in sorted(row.items()):
        if isinstance(value, str):
            yield value
        else:
            yield from (message["value"] for message in value)


def row_sha256(row: Mapping[str, Any]) -> str:
    return sha256_hex(canonical_json(row))
