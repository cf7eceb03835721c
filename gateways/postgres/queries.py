"""Named queries: `sql/<family>.sql`, each query introduced by `-- name: <name>`."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from psycopg.sql import SQL

FOLDER = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(family: str) -> Mapping[str, SQL]:
    """The queries of one file by name. The files are ours, so their text is trusted as a literal is."""
    head, *parts = _NAME.split((FOLDER / f"{family}.sql").read_text())
    names, texts = parts[::2], parts[1::2]
    if not names or len(set(names)) != len(names) or _has_code(head):
        raise ValueError(f"{family}.sql must hold queries with distinct names and nothing before the first")
    return {name: SQL(cast(LiteralString, text.strip())) for name, text in zip(names, texts, strict=True)}


def _has_code(text: str) -> bool:
    return any(line.strip() and not line.startswith("--") for line in text.splitlines())
