"""What is trained on is what is measured: the same tokens, the same mask."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from core.challenge import InstructDataset
from core.value import canonical_json
from evaluators.instruct import tokenize

words = st.text(max_size=40)
rows = st.lists(
    st.fixed_dictionaries(
        {"instruct": words, "output": words}, optional={"input": st.none() | words, "system": st.none() | words}
    ),
    min_size=1,
    max_size=8,
)
KINDS = (
    InstructDataset(),
    InstructDataset(field_input=None, system_prompt="Be brief."),
    InstructDataset(field_system="system", system_format="[{system}]\n"),
    InstructDataset(format="### {instruction}\n{input}\n=> ", no_input_format="### {instruction}\n=> "),
)


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rows, st.sampled_from(KINDS), st.integers(2, 60))
def test_tokens_and_mask_are_the_evaluations(
    train: ModuleType, tokenizer: Any, rows: list[dict[str, Any]], kind: InstructDataset, length: int
) -> None:
    told = train.json.loads(canonical_json(kind))
    ours = train.Encoder(tokenizer, length)([train.texts(row, told) for row in rows])
    theirs = [sample for sample in tokenize(rows, kind, tokenizer, length) if sample.answer_tokens]
    assert [tuple(row.ids) for row in ours] == [sample.tokens for sample in theirs]
    assert [len(row.ids) - row.prompt for row in ours] == [sample.answer_tokens for sample in theirs]
    for row in ours:
        assert row.labels == [-100] * row.prompt + row.ids[row.prompt :]


def test_formats_may_be_left_out(train: ModuleType) -> None:
    kind = {"field_instruction": "q", "field_output": "a"}
    assert train.texts({"q": "Why?", "a": "So."}, kind) == ("Why?", "So.")
    assert train.texts({"q": "Why?", "a": None, "i": "x"}, {**kind, "field_input": "i"}) == ("Why? x", "")


@given(st.lists(st.tuples(st.text("ab 1.", max_size=6), st.text("ab 1.", max_size=6)), max_size=80))
def test_no_validation_row_has_a_near_duplicate(train: ModuleType, pairs: list[tuple[str, str]]) -> None:
    training, held_out = train.split(pairs)
    assert sorted(training + held_out) == sorted(pairs)

    def plain(text: str) -> list[str]:
        return "".join(letter if letter in "ab" else " " for letter in text).split()

    for prompt, answer in held_out:
        others = [pair for pair in pairs if pair is not prompt]
        assert sum(plain(other[0]) == plain(prompt) for other in others) == 1
        assert sum(plain(other[1]) == plain(answer) for other in others) == 1


def test_an_epoch_has_every_row_once_in_batches_that_fit_and_the_same_order_again(
    train: ModuleType, tokenizer: Any
) -> None:
    pairs = [(f"say {i}", "word " * (i % 7 + 1)) for i in range(90)]
    encode = train.Encoder(tokenizer, 64)

    def epoch() -> list[list[Any]]:
        batches, seen = [], 0
        for batch in train.epochs(pairs, encode, tokens=100, pool=32):
            batches.append(batch)
            seen += len(batch)
            if seen == len(pairs):
                return batches
        raise AssertionError

    first = epoch()
    assert first == epoch()
    assert sorted(row.ids for batch in first for row in batch) == sorted(row.ids for row in encode(pairs))
    assert all(max(len(row.ids) for row in batch) * len(batch) <= 100 for batch in first)
