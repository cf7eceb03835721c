"""docs/rules.md names a test for each clause, and each of them is there."""

import re
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
CLAUSE = re.compile(r"^\| (?P<number>\d+\.\d+) \|.*\| (?P<test>[^|]+) \|$", re.MULTILINE)
CLAUSES = CLAUSE.findall((HOUSE / "docs" / "rules.md").read_text())


def test_the_clauses_are_numbered_without_a_gap():
    numbers = [tuple(map(int, number.split("."))) for number, _ in CLAUSES]
    assert numbers == sorted(set(numbers)) and len(numbers) > 30
    for chapter in {number[0] for number in numbers}:
        in_chapter = [number[1] for number in numbers if number[0] == chapter]
        assert in_chapter == list(range(1, len(in_chapter) + 1))


@pytest.mark.parametrize(("number", "test"), CLAUSES, ids=[number for number, _ in CLAUSES])
def test_a_clause_names_a_test_that_exists(number, test):
    path, _, name = test.strip("` ").partition("::")
    file = HOUSE / path if path.startswith("tests/") else HOUSE / "tests" / "tournament" / path
    assert file.exists(), f"clause {number} names {path}"
    assert not name or f"def {name}(" in file.read_text(), f"clause {number} names {name}"
