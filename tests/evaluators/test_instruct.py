from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from core.challenge import InstructDataset
from core.errors import PrerequisiteError
from evaluators.instruct import check_formats, cut, prompt_of, samples

TOKENS = st.lists(st.integers(2, 99), max_size=30)


@given(prompt=TOKENS, answer=TOKENS, begins=st.booleans(), length=st.integers(1, 40))
def test_cut(prompt: list[int], answer: list[int], begins: bool, length: int) -> None:
    bos = [1] if begins else []
    sample = cut(bos, prompt, answer, length)
    kept = answer[: length - 1]
    context = list(sample.tokens[: len(sample.tokens) - len(kept)])
    assert len(sample.tokens) <= length
    assert list(sample.tokens[len(context) :]) == kept
    assert context[: len(bos)] == bos and prompt[len(prompt) - len(context[len(bos) :]) :] == context[len(bos) :]
    assert len(context) == min(len(bos + prompt), length - len(kept)) or context == bos
    assert sample.counted == tuple(range(max(1, len(context)), len(sample.tokens)))


def test_the_answer_goes_before_the_prompt() -> None:
    assert cut([1], [5, 6, 7], [8, 9], 4).tokens == (1, 7, 8, 9)
    assert cut([1], [5, 6, 7], [8, 9, 2], 4).tokens == (1, 8, 9, 2)
    assert cut([], [5, 6, 7], [8, 9, 2, 3], 4).tokens == (7, 8, 9, 2)
    assert cut([1], [5], [], 4).counted == ()
    assert cut([], [], [8, 9], 4).counted == (1,)


DATASET = InstructDataset(
    field_system="sys", format="{instruction}\n{input}:", no_input_format="<{instruction}>", system_format="[{system}] "
)


def test_prompts() -> None:
    assert prompt_of({"instruct": "add", "input": "1 2"}, DATASET) == "add\n1 2:"
    assert prompt_of({"instruct": "add", "input": ""}, DATASET) == "<add>"
    assert prompt_of({"instruct": "{input}", "sys": "be {kind}"}, DATASET) == "[be {kind}] <{input}>"
    fixed = DATASET.model_copy(update={"field_system": None, "system_prompt": "hi", "field_input": None})
    assert prompt_of({"instruct": "add", "input": "1"}, fixed) == "[hi] <add>"


@pytest.mark.parametrize(
    "text", ["{instruction.__class__}", "{instruction!r}", "{instruction:>99999999}", "{output}", "{", "{0}"]
)
def test_formats_with_more_than_plain_fields(text: str) -> None:
    with pytest.raises(PrerequisiteError, match=r"dataset_type\.format"):
        check_formats(InstructDataset(format=text))


def test_a_column_that_is_no_text_is_ours() -> None:
    with pytest.raises(PrerequisiteError, match="row 3 of the test set: 'instruct' is no text"):
        prompt_of({"instruct": 5}, DATASET, 3)


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    found = AutoTokenizer.from_pretrained(base)
    assert found.pad_token is None  # nothing here needs one
    return found


def test_without_an_output_column_the_instruction_is_predicted(tokenizer: Any) -> None:
    dataset = InstructDataset(field_output=None, field_input=None, system_prompt="not used", format="nor this")
    ((sequence,),) = samples([{"instruct": "return the sum"}], dataset, tokenizer, 99)
    assert tokenizer.decode(sequence.tokens) == "<s>return the sum</s>"
    assert sequence.counted == tuple(range(1, len(sequence.tokens)))
    ((empty,),) = samples([{"instruct": ""}], dataset, tokenizer, 99)
    assert empty.counted == ()


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no instruction": ({"output": "x"}, "has the column 'instruct' .the first has output.: map it"),
    "no output": ({"instruct": "x", "text": "y"}, "has the column 'output' .the first has instruct, text.: map it"),
    "a list": ({"instruct": "x", "output": ["y"]}, "row 1 of the test set: 'output' is no text"),
    "broken Unicode": ({"instruct": "\ud83d", "output": "y"}, "row 1 of the test set: 'instruct' is broken Unicode"),
    "gigantic": ({"instruct": "x" * 4194305, "output": "y"}, "row 1 .* 'instruct' has 4194305 characters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rows_are_named(tokenizer: Any, name: str) -> None:
    row, reason = BROKEN[name]
    rows = [{"instruct": "a", "output": "b"}, row] if "row 1" in reason else [row]
    with pytest.raises(PrerequisiteError, match=reason):
        samples(rows, InstructDataset(), tokenizer, 99)
