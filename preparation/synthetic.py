"""Rows that a language model writes after rows of train: what it is asked, and which of its answers are taken.

Only rows of train are shown to it, never one of test; and what comes back too near to a test row is dropped like any
other. The wording follows the reference's intent: the same skill and facts, another wording.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from core.challenge import ChallengeKind, DatasetInfo, DatasetType
from preparation.cleaning import Row, row_sha256, standard_row
from preparation.duplicates import near_duplicates
from preparation.objection import ObjectionError

SYSTEM = (
    "You write training data. Given one row as a JSON object, write another row that trains the same skill: keep the "
    "task and the key facts; change style, structure, level of detail and perspective, not single words. Answer with "
    "one JSON object of exactly the same keys, and the same structure below them, and nothing else."
)


class Question(NamedTuple):
    system: str
    user: str


def question(row: Row) -> Question:
    return Question(SYSTEM, json.dumps(row, ensure_ascii=False, sort_keys=True))


def accepted(answer: str, row: Row, kind: ChallengeKind, dataset_type: DatasetType) -> Row | None:
    """The row that the answer is; None when it is not one of the same keys, or not usable by the rules of cleaning.

    Args:
        dataset_type: of prepared rows.
    """
    start, end = answer.find("{"), answer.rfind("}")
    try:
        found = json.loads(answer[start : end + 1])
        if not isinstance(found, dict) or found.keys() != row.keys() or not _is_alike(found, row):
            return None
        made = standard_row(found, _as_it_stands(row, kind, dataset_type))
    except (ObjectionError, ValueError, RecursionError):
        return None
    return made if made == found and made != row else None


def _is_alike(found: Row, row: Row) -> bool:
    """What is empty in one is so in the other."""
    return all(bool(found[column]) == bool(value) for column, value in row.items())


def _as_it_stands(row: Row, kind: ChallengeKind, dataset_type: DatasetType) -> DatasetInfo:
    names = {column: column for column in row}
    return DatasetInfo(dataset_id="synthetic", revision="", kind=kind, rows=1, columns=names, dataset_type=dataset_type)


def fresh(made: Sequence[Row], train: Sequence[Row], test: Sequence[Row]) -> list[Row]:
    """Those that are no repeat of a row or of each other, and no near-duplicate of a test row."""
    seen = {row_sha256(row) for row in (*train, *test)}
    kept: list[Row] = []
    for row in made:
        if (digest := row_sha256(row)) not in seen:
            seen.add(digest)
            kept.append(row)
    near = set(near_duplicates(kept, test))
    return [row for position, row in enumerate(kept) if position not in near]
