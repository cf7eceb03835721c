"""Rows of a file: JSON lines, a JSON list, CSV or Parquet. Whoever wrote it is not trusted; nothing in it runs.

.jsonl      one JSON object a line, UTF-8
.json       a list of objects; or lines, as many hubs name those so too
.csv        a header, then a row a line (RFC 4180), UTF-8
.parquet    columns of bytes (pictures, say) are left out
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.errors import PrerequisiteError

if TYPE_CHECKING:
    import pyarrow

Rows = list[dict[str, Any]]

MOST_LINE_BYTES = 64 << 20
MOST_ROWS = 1_000_000
"""The rules set no clock for more than 500,000."""
MOST_UNPACKED_BYTES = 16 << 30
"""Of a Parquet file's columns; a small one can unpack to any size."""
_BATCH = 1000


def read_rows(path: Path, name: str) -> Rows:
    """All rows of a file.

    Args:
        name: as it is called where it comes from; its end tells the format, and errors show it.

    Raises PrerequisiteError naming the file, the line where there are lines, and what to do.
    """
    match Path(name).suffix.lower():
        case ".jsonl":
            return lines(path, name)
        case ".json":
            return _list(path, name) if _is_list(path) else lines(path, name)
        case ".csv":
            return _csv(path, name)
        case ".parquet":
            return _parquet(path, name)
        case _:
            raise PrerequisiteError(f"{name} is no .jsonl, .json, .csv or .parquet: convert it to one of these")


def _bounded(rows: Iterable[dict[str, Any]], name: str) -> Rows:
    found: Rows = []
    for row in rows:
        if len(found) == MOST_ROWS:
            raise PrerequisiteError(f"{name} has more than {MOST_ROWS:,} rows: take a part of it")
        found.append(row)
    return found


# JSON


def lines(path: Path, name: str) -> Rows:
    found = _bounded(_lines(path, name), name)
    if not found:
        raise PrerequisiteError(f"{name} is empty: write one JSON object a line, or remove it")
    return found


def _lines(path: Path, name: str) -> Iterator[dict[str, Any]]:
    number = 0
    with path.open("rb") as stream:
        while line := stream.readline(MOST_LINE_BYTES + 1):
            number += 1
            if len(line) > MOST_LINE_BYTES:
                raise PrerequisiteError(
                    f"{name}, line {number}: longer than {MOST_LINE_BYTES >> 20} MiB; cut or remove the line"
                )
            yield _row(name, number, line.removesuffix(b"\n"))


def _row(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = _json(line)
    except UnicodeDecodeError as e:
        raise PrerequisiteError(f"{name}, line {number}: not UTF-8 at its byte {e.start + 1}; convert the file") from e
    except (ValueError, RecursionError) as e:
        raise PrerequisiteError(f"{name}, line {number}: not JSON ({e}); correct or remove the line") from e
    if not isinstance(row, dict):
        raise PrerequisiteError(f"{name}, line {number}: not a JSON object; correct or remove the line")
    return row


def _is_list(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4096).lstrip().startswith(b"[")


def _list(path: Path, name: str) -> Rows:
    try:
        found = _json(path.read_bytes())
    except UnicodeDecodeError as e:
        raise PrerequisiteError(f"{name}: not UTF-8 at its byte {e.start + 1}; convert the file") from e
    except (ValueError, RecursionError) as e:
        raise PrerequisiteError(f"{name}: not JSON ({e}); correct the file") from e
    odd = next((number for number, row in enumerate(found, start=1) if not isinstance(row, dict)), None)
    if odd is not None:
        raise PrerequisiteError(f"{name}, row {odd}: not a JSON object; correct or remove the row")
    return _bounded(found, name)


def _json(data: bytes) -> Any:
    return json.loads(data.decode(), parse_constant=_no_constant)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


# CSV


def _csv(path: Path, name: str) -> Rows:
    csv.field_size_limit(MOST_LINE_BYTES)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        try:
            return _bounded(_csv_rows(reader, name), name)
        except UnicodeDecodeError as e:
            raise PrerequisiteError(f"{name}, after line {reader.line_num}: not UTF-8; convert the file") from e
        except csv.Error as e:
            raise PrerequisiteError(f"{name}, line {reader.line_num}: not CSV ({e}); correct or remove the line") from e


def _csv_rows(reader: "csv.DictReader[str]", name: str) -> Iterator[dict[str, Any]]:
    for row in reader:
        if None in row:
            raise PrerequisiteError(
                f"{name}, line {reader.line_num}: has more fields than the header; correct or remove the line"
            )
        yield row


# Parquet


def _parquet(path: Path, name: str) -> Rows:
    import pyarrow

    try:
        return _bounded(_parquet_rows(path, name), name)
    except UnicodeDecodeError as e:
        raise PrerequisiteError(f"{name}: a text in it is not UTF-8 ({e}); write the file anew") from e
    except (pyarrow.ArrowException, OSError, ValueError) as e:
        raise PrerequisiteError(f"{name}: not a sound Parquet file ({e}); write the file anew") from e


def _parquet_rows(path: Path, name: str) -> Iterator[dict[str, Any]]:
    from pyarrow.parquet import ParquetFile

    unpacked = 0
    with ParquetFile(path) as file:
        columns = [field.name for field in file.schema_arrow if not _is_bytes(field.type)]
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns):
            unpacked += batch.nbytes
            if unpacked > MOST_UNPACKED_BYTES:
                raise PrerequisiteError(
                    f"{name} unpacks to more than {MOST_UNPACKED_BYTES >> 30} GiB: take a part of it"
                )
            yield from batch.to_pylist()


def _is_bytes(kind: "pyarrow.DataType") -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))
