"""Rows of files in the formats that people keep them in, sound and broken."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from core.errors import PrerequisiteError
from gateways import row_files
from gateways.row_files import read_rows

ROWS = [{"question": "why?\nso", "answer": "é\u2028, because"}, {"question": "who?", "answer": "me"}]


def saved(folder: Path, name: str, data: bytes) -> list[dict[str, Any]]:
    (folder / "file").write_bytes(data)
    return read_rows(folder / "file", f"owner/rows/{name}")


def parquet(folder: Path, columns: dict[str, Any]) -> bytes:
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "made")
    return (folder / "made").read_bytes()


def columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()),
        ("a.json", "\n".join(json.dumps(row) for row in ROWS).encode()),
        ("a.json", b"\n " + json.dumps(ROWS, indent=1).encode()),
        ("a.CSV", '\ufeffquestion,answer\r\n"why?\nso","é\u2028, because"\r\nwho?,me\r\n'.encode()),
    ],
)
def test_rows_are_the_same_in_every_format(tmp_path: Path, name: str, data: bytes) -> None:
    assert saved(tmp_path, name, data) == ROWS


def test_parquet_keeps_nested_values_and_leaves_bytes_out(tmp_path: Path) -> None:
    messages = [[{"role": "user", "content": "hi"}], []]
    data = parquet(tmp_path, {**columns(ROWS), "messages": messages, "picture": [b"\xff", b"\x00"]})
    rows = saved(tmp_path, "a.parquet", data)
    assert rows == [row | {"messages": said} for row, said in zip(ROWS, messages, strict=True)]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl", b'{"a": "b"}\n{"a": "\xff"}', r"a.jsonl, line 2: not UTF-8 at its byte 8; convert the file"),
        ("a.jsonl", b'{"a": "b"}\n\n', r"line 2: not JSON .*; correct or remove the line"),
        ("a.jsonl", b"", r"a.jsonl is empty: write one JSON object a line"),
        ("a.json", b'[{"a": 1}, 2]', r"a.json, row 2: not a JSON object; correct"),
        ("a.json", b'[{"a": NaN}]', r"a.json: not JSON \(NaN is no JSON number\); correct the file"),
        ("a.json", b"[" * 100_000, r"a.json: not JSON"),
        ("a.json", b'["\xff"]', r"a.json: not UTF-8 at its byte 3; convert"),
        ("a.csv", b"a,b\r\n1,2\r\n1,2,3\r\n", r"a.csv, line 3: has more fields than the header"),
        ("a.csv", b'a,b\r\n"1,2\r\n', r"a.csv, line \d: not CSV .*; correct or remove the line"),
        ("a.csv", b"a,b\r\n1,\xff\r\n", r"a.csv, after line \d: not UTF-8; convert the file"),
        ("a.parquet", b"PAR1 nothing PAR1", r"a.parquet: not a sound Parquet file .*write the file anew"),
        ("a.py", b"print()", r"a.py is no .jsonl, .json, .csv or .parquet: convert it"),
        ("rows", b"{}", r"owner/rows/rows is no .jsonl"),
    ],
)
def test_what_is_no_rows_is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    with pytest.raises(PrerequisiteError, match=rf"owner/rows/.*{said}|{said}"):
        saved(tmp_path, name, data)


def test_broken_text_in_parquet_is_named(tmp_path: Path) -> None:
    texts = pyarrow.array([b"fine", b"\xff\xfe"]).cast(pyarrow.binary()).view(pyarrow.string())
    with pytest.raises(PrerequisiteError, match=r"a.parquet: a text in it is not UTF-8"):
        saved(tmp_path, "a.parquet", parquet(tmp_path, {"a": texts}))


def test_lines_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "MOST_LINE_BYTES", 1 << 20)
    with pytest.raises(PrerequisiteError, match=r"line 2: longer than 1 MiB; cut or remove the line"):
        saved(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": "' + b"x" * (1 << 20) + b'"}\n')
    monkeypatch.setattr(row_files, "MOST_ROWS", 2)
    for name, data in (("a.jsonl", b"{}\n{}\n{}"), ("a.json", b"[{}, {}, {}]"), ("a.csv", b"a\n1\n2\n3\n")):
        with pytest.raises(PrerequisiteError, match=rf"{name} has more than 2 rows: take a part of it"):
            saved(tmp_path, name, data)


def test_a_small_file_may_not_unpack_to_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(tmp_path, {"a": ["x" * 100_000] * 1000})
    monkeypatch.setattr(row_files, "MOST_UNPACKED_BYTES", 10 << 20)
    with pytest.raises(PrerequisiteError, match=r"a.parquet unpacks to more than 0 GiB: take a part"):
        saved(tmp_path, "a.parquet", data)
    assert len(data) < 1 << 20
