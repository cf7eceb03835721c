import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.preparation import clean_rows, split
from tests import builders

DATASET = builders.dataset(columns={"instruct": "task", "input": "source", "output": "answer"})


def row(number, **changes):
    return {"task": "Say", "source": f"n{number}", "answer": f"{number}", "more": 1} | changes


def test_rows_get_standard_columns_and_lose_the_others():
    rows, dropped = clean_rows([row(1)], DATASET)
    assert rows == [{"instruct": "Say", "input": "n1", "output": "1"}] and dropped == {}


def test_what_is_dropped_is_counted_by_reason():
    source = [row(1), row(1), row(2, answer=" "), row(3, task=None), row(4, source=None)]
    rows, dropped = clean_rows(source, DATASET)
    assert dropped == {"repeated": 1, "no output": 1, "no instruction": 1}
    assert rows[-1]["input"] == "" and len(rows) == 2


def test_a_missing_column_is_named_with_those_that_are_there():
    with pytest.raises(ValueError, match=r"no column answer; it has .*'task'"):
        clean_rows([{"task": "a", "source": "b"}], DATASET)


def test_values_become_strings():
    assert clean_rows([row(1, answer=7)], DATASET)[0][0]["output"] == "7"


ROWS = [{"instruct": "a", "output": str(i)} for i in range(60)]


@given(st.permutations(ROWS), st.integers(0, 60))
def test_a_split_depends_on_seed_and_rows_alone(shuffled, test_rows):
    train, test = split(ROWS, "5e", test_rows)
    assert split(shuffled, "5e", test_rows) == (train, test)
    assert len(test) == test_rows and sorted(map(str, train + test)) == sorted(map(str, ROWS))


def test_another_seed_hides_other_rows():
    assert split(ROWS, "5e", 10) != split(ROWS, "5f", 10)
