"""What is usable, and why the rest is not."""

import json
from typing import Any

import pytest

from core.challenge import ChallengeKind, ChatDataset, InstructDataset
from preparation.cleaning import MOST_CHARACTERS, clean_rows
from preparation.tally import Tally
from tests.preparation.rows import dataset, source

INSTRUCT, CHAT, DPO, GRPO = ChallengeKind.INSTRUCT, ChallengeKind.CHAT, ChallengeKind.DPO, ChallengeKind.GRPO
NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]


def cleaned(rows: list[Any], kind: ChallengeKind = INSTRUCT, **changes: Any) -> tuple[list[dict[str, Any]], Tally]:
    tally = Tally()
    return [item.row for item in clean_rows(rows, dataset(kind, **changes), tally)], tally


def test_rows_get_standard_columns_and_lose_the_others() -> None:
    rows, tally = cleaned([{"task": "Say", "source": "n1", "answer": "1", "more": 1}])
    assert rows == [{"instruct": "Say", "input": "n1", "output": "1"}] and tally.total == 0


@pytest.mark.parametrize("kind", [INSTRUCT, CHAT, DPO, GRPO])
def test_a_sound_row_of_each_kind_is_kept(kind: ChallengeKind) -> None:
    rows, tally = cleaned([source(kind, 1), source(kind, 2)], kind)
    assert len(rows) == 2 and tally.total == 0


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        (INSTRUCT, {"task": None}, "no instruction"),
        (INSTRUCT, {"answer": " \n"}, "no output"),
        (INSTRUCT, {"answer": float("nan")}, "no output"),
        (INSTRUCT, {"answer": ["a"]}, "output is no text but a list"),
        (INSTRUCT, {"answer": {"from": "user"}}, "output is no text but a dict"),
        (INSTRUCT, {"answer": b"\xff"}, "output is no text but a bytes"),
        (INSTRUCT, {"answer": "half \ud800"}, "broken text: half of a surrogate pair, which UTF-8 does not have"),
        (INSTRUCT, {"source": "x" * MOST_CHARACTERS}, "longer than 200,000 characters"),
        (DPO, {"question": ""}, "no prompt"),
        (DPO, {"good": None}, "no chosen answer"),
        (DPO, {"bad": "\t"}, "no rejected answer"),
        (DPO, {"good": "same", "bad": " same "}, "chosen and rejected answer are equal"),
        (GRPO, {"question": " "}, "no prompt"),
        (GRPO, {"expected": {"x": float("nan")}}, "extra_data is no JSON"),
        (GRPO, {"expected": NESTED}, "extra_data is no JSON"),
        (CHAT, {"messages": "hello"}, "the conversation is text, but not JSON"),
        (CHAT, {"messages": "[" * 100_000}, "the conversation is text, but not JSON"),
        (CHAT, {"messages": {"from": "user"}}, "the conversation is no list of messages"),
        (CHAT, {"messages": ["hello", "you"]}, "a message is no object of role and content"),
        (CHAT, {"messages": [{"from": "user", "value": "x"}]}, "fewer than 2 messages with role and content"),
        (
            CHAT,
            {"messages": [{"from": "user", "value": "x"}, {"from": "assistant", "value": ""}]},
            "fewer than 2 messages with role and content",
        ),
        (CHAT, {"messages": [{"from": "user", "value": "x"}] * 2}, "no message of the assistant"),
        (
            CHAT,
            {"messages": [{"from": "user", "value": "x"}, {"from": "tool", "value": "y"}]},
            "a message of somebody who is neither system, user nor assistant",
        ),
        (CHAT, {"messages": [{"from": "user", "value": ["x"]}]}, "a message's role or content is no text"),
    ],
)
def test_what_is_dropped_is_counted_by_reason_with_an_example(
    kind: ChallengeKind, changes: dict[str, Any], reason: str
) -> None:
    bad = source(kind, 3, **changes)
    rows, tally = cleaned([source(kind, 1), source(kind, 2), bad, bad], kind)
    assert len(rows) == 2
    assert tally.rows == {reason: 2} and tally.examples == {reason: "datasets/docstrings, row 3"}


def test_exact_repeats_and_what_is_no_object_are_dropped() -> None:
    given = [source(INSTRUCT, 1), source(INSTRUCT, 1, more=2), "text", None, [1]]
    rows, tally = cleaned(given)
    assert len(rows) == 1 and tally.rows == {"repeated": 1, "no object of columns": 3}


def test_rows_of_one_kind_among_anothers_are_dropped() -> None:
    rows, tally = cleaned([source(INSTRUCT, 1), source(INSTRUCT, 2), source(DPO, 3), source(CHAT, 4)])
    assert len(rows) == 2 and tally.rows == {"empty": 2}


def test_values_become_text() -> None:
    (row,), _ = cleaned([source(INSTRUCT, 1, answer=7, source=None)])
    assert row == {"instruct": "Say it.", "input": "", "output": "7"}


def test_extra_data_is_text_or_the_json_of_a_value() -> None:
    rows, _ = cleaned([source(GRPO, 1, expected={"b": 1, "a": [2]}), source(GRPO, 2, expected="as it is")], GRPO)
    assert [row["extra_data"] for row in rows] == ['{"a":[2],"b":1}', "as it is"]


def test_messages_get_standard_names_and_lose_those_without_role_or_content() -> None:
    theirs = ChatDataset(
        chat_role_field="role",
        chat_content_field="content",
        chat_user_reference="human",
        chat_assistant_reference="gpt",
    )
    turns = [("system", "Be kind."), ("human", "Hi"), ("", "lost"), ("gpt", None), ("gpt", "Hello"), (None, "lost")]
    messages = [{"role": role, "content": content, "id": 1} for role, content in turns]
    rows, tally = cleaned([{"messages": messages}], CHAT, dataset_type=theirs)
    kept = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello")]
    assert rows == [{"conversations": [{"from": role, "value": content} for role, content in kept]}]
    assert tally.total == 0 and tally.messages == 3


def test_a_conversation_may_be_json_text() -> None:
    messages = source(CHAT, 1)["messages"]
    rows, _ = cleaned([{"messages": json.dumps(messages)}], CHAT)
    assert rows == [{"conversations": messages}]


def test_rows_of_a_completion_dataset_need_no_output() -> None:
    completion = InstructDataset(field_output=None)
    rows, tally = cleaned(
        [{"task": "Once upon a time"}, {"task": ""}], columns={"instruct": "task"}, dataset_type=completion
    )
    assert rows == [{"instruct": "Once upon a time"}] and tally.rows == {"empty": 1}


# The dataset as a whole


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ValueError, match=r"docstrings has no column answer; it has \['source', 'task'\]: correct the"):
        cleaned([{"task": "a", "source": "b"}])


@pytest.mark.parametrize(
    ("kind", "columns", "said"),
    [
        (INSTRUCT, {"instruct": "task"}, "do not say which is output; InstructTextTask has instruct, output and"),
        (INSTRUCT, {"instruct": "a", "output": "b", "answer": "c"}, "name answer; InstructTextTask has"),
        (DPO, {"prompt": "a", "chosen": "b"}, "do not say which is rejected; DpoTask has prompt, chosen, rejected"),
        (CHAT, {}, "do not say which is conversations"),
        (GRPO, {"prompt": "a", "system": "b"}, "name system; GrpoTask has prompt and, where there is one, extra_data"),
    ],
)
def test_a_mapping_that_does_not_fit_the_kind_is_named(kind: ChallengeKind, columns: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=rf"columns of dataset datasets/docstrings {said}.*correct its entry"):
        cleaned([source(kind, 1)], kind, columns=columns)


def test_a_description_of_another_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"is of ChatTask, but described as InstructDataset: correct"):
        cleaned([source(CHAT, 1)], CHAT, dataset_type=InstructDataset())


@pytest.mark.parametrize(("kind", "empty"), [(INSTRUCT, {"task": " ", "source": None, "answer": ""}), (CHAT, {})])
def test_mostly_empty_rows_mean_wrong_columns(kind: ChallengeKind, empty: dict[str, Any]) -> None:
    assert cleaned([source(kind, 1)] + [empty] * 4, kind)[1].rows == {"empty": 4}
    with pytest.raises(ValueError, match=r"5 of 6 rows of dataset .* are empty in every one of the columns"):
        cleaned([source(kind, 1)] + [empty] * 5, kind)
