"""Named queries are found by name, and a file that cannot be read so is refused."""

from pathlib import Path

import pytest

from gateways.postgres import queries as module
from gateways.postgres.queries import FOLDER, queries

FAMILIES = sorted(path.stem for path in FOLDER.glob("*.sql") if path.stem != "schema")
GATEWAYS = FOLDER.parents[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_query_is_used_where_its_family_is_loaded(family: str) -> None:
    sources = [path.read_text() for path in GATEWAYS.rglob("*.py")]
    users = "".join(source for source in sources if f'queries("{family}")' in source)
    assert [name for name in queries(family) if f'"{name}"' not in users] == []


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "SELECT 0;\n-- name: a\nSELECT 1;"]
)
def test_a_file_without_clear_names_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "unclear.sql").write_text(text)
    with pytest.raises(ValueError, match="distinct names"):
        queries.__wrapped__("unclear")
