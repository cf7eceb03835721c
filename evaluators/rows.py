"""Rows of a test set: their columns' texts, checked. Whatever is wrong with a row is ours, never a miner's."""

import string
from collections.abc import Iterable, Sequence
from typing import Any

from core.errors import PrerequisiteError

Row = dict[str, Any]
MOST_CHARACTERS = 1 << 22
"""Of one text; a row of 4096 tokens has some 16,000."""


class RowError(PrerequisiteError):
    """A row that cannot be measured: its position among those that were given, and why."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"row {number} of the test set: {reason}")
        self.number, self.reason = number, reason


def text_of(row: Row, column: str | None, number: int) -> str:
    """The text in the row's column; empty where there is none. Raises RowError for anything else."""
    value = row.get(column) if column else None
    if value is None:
        return ""
    return sound_text(value, number, repr(column))


def sound_text(value: object, number: int, what: str) -> str:
    """Raises RowError for what is no text, no Unicode, or too long."""
    if not isinstance(value, str):
        raise RowError(number, f"{what} is no text: prepare the challenge again")
    if len(value) > MOST_CHARACTERS:
        raise RowError(number, f"{what} has {len(value)} characters, more than {MOST_CHARACTERS}: drop the row")
    try:
        value.encode()
    except UnicodeEncodeError as e:
        raise RowError(number, f"{what} is broken Unicode ({e.reason}): drop the row") from e
    return value


def require_columns(rows: Sequence[Row], columns: Iterable[str | None]) -> None:
    """Raises PrerequisiteError for a column that no row has."""
    for column in columns:
        if column and not any(column in row for row in rows):
            has = ", ".join(sorted(rows[0])[:12]) if rows else "nothing"
            raise PrerequisiteError(f"no row of the test set has the column {column!r} (the first has {has}): map it")


def check_format(name: str, text: str, fields: set[str]) -> None:
    """Raises PrerequisiteError for a format with anything but plain fields: `{prompt.x}` reaches into objects."""
    try:
        used = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
    except ValueError as e:
        raise PrerequisiteError(f"dataset_type.{name} {text!r} is no format: {e}") from e
    if any(part[0] not in fields or part[1] or part[2] for part in used):
        raise PrerequisiteError(f"dataset_type.{name} {text!r} may have only the fields {sorted(fields)}, plain")


def names_field(text: str, field: str) -> bool:
    return any(part[1] == field for part in string.Formatter().parse(text))
