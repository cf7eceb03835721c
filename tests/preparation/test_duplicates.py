"""Which rows are near-duplicates."""

import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preparation.duplicates import are_similar, form_of, near_duplicates, shingles

HUNDRED = " ".join(f"word{number}" for number in range(100))


def row(text: str, output: str = "yes") -> dict[str, Any]:
    return {"instruct": text, "output": output}


@pytest.mark.parametrize(
    ("changed", "is_near"),
    [
        (HUNDRED.upper().replace(" ", ", "), True),
        (HUNDRED.replace("word50 ", "other "), True),
        (HUNDRED.replace("word30 ", "other ").replace("word70 ", "other "), True),
        (HUNDRED.replace("word3", "other"), False),
        (" ".join(reversed(HUNDRED.split())), False),
        ("", False),
    ],
)
def test_a_row_of_a_hundred_words_may_lose_two(changed: str, is_near: bool) -> None:
    assert near_duplicates([row("quite another text"), row(changed)], [row(HUNDRED)]) == ([1] if is_near else [])


def test_short_rows_are_near_only_when_their_words_are_the_same() -> None:
    train = [row("What is 2 + 3?", "5"), row("what is 2+2", "4"), row("What is 2 + 2?", "5")]
    assert near_duplicates(train, [row("What is 2 + 2?", "4")]) == [1]


def test_the_form_of_rows_makes_nobody_similar() -> None:
    form = "Read the sentence and say in one word whether it is kind or unkind. " * 3
    test = [row(form + f"sentence{number} of a test") for number in range(50)]
    train = [row(form + f"sentence{number} of a train") for number in range(50, 80)]
    assert near_duplicates(train, test) == []
    assert near_duplicates([*train, row(form + "Sentence7, of a test.")], test) == [30]


def test_writing_without_spaces_has_words_too() -> None:
    test = row("这是一个用来检查近似重复的很长的中文句子，里面没有任何空格。")
    train = [
        row("这是一个用来检查近似重复的很长的中文句子，里面没有任何空格！"),
        row("今天天气很好，我们去公园散步吧，然后回家吃饭。"),
    ]
    assert near_duplicates(train, [test]) == [0]


def test_rows_without_words_are_near_nothing() -> None:
    assert near_duplicates([row("?!", "...")], [row("?!", "...")]) == []


TEXTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12).map(" ".join)


@given(st.lists(TEXTS, max_size=20), st.lists(TEXTS, min_size=1, max_size=20))
@settings(max_examples=200)
def test_the_filter_loses_no_pair(train: list[str], test: list[str]) -> None:
    tests = [shingles(row(text)) for text in test]
    form = form_of(tests)
    near = [
        place
        for place, text in enumerate(train)
        if any(are_similar(shingles(row(text)) - form, found - form) for found in tests)
    ]
    assert near_duplicates([row(text) for text in train], [row(text) for text in test]) == near


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_less_than_a_minute() -> None:
    draw = random.Random(1)
    words = [f"w{int(draw.paretovariate(1))}" for _ in range(50_000)]
    rows = [row(" ".join(draw.choices(words, k=130)), " ".join(draw.choices(words, k=20))) for _ in range(100_000)]
    copied = [row(item["instruct"] + " more", item["output"]) for item in rows[:100]]
    began = time.process_time()
    near = near_duplicates(rows[400:] + copied, rows[:400])
    seconds = time.process_time() - began
    assert near == list(range(99_600, 99_700)) and seconds < 60, seconds
