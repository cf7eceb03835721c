import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.challenge import InstructDataset
from core.errors import PrerequisiteError
from evaluators.instruct import check_formats, cut, prompt_of

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
