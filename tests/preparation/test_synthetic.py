"""Which answers of a language model become rows."""

import json
from typing import Any

import pytest

from core.challenge import ChallengeKind, ChatDataset, InstructDataset
from preparation.synthetic import accepted, fresh, question

ROW = {"instruct": "Add.", "input": "", "output": "two"}
OTHER = {"instruct": "Please add.", "input": "", "output": "2"}
CHAT = {"conversations": [{"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Hello"}]}


def answered(text: Any, row: dict[str, Any] = ROW) -> dict[str, Any] | None:
    kind = ChallengeKind.CHAT if "conversations" in row else ChallengeKind.INSTRUCT
    described = ChatDataset() if kind is ChallengeKind.CHAT else InstructDataset()
    return accepted(text if isinstance(text, str) else json.dumps(text), row, kind, described)


@pytest.mark.parametrize("around", ["{}", "Here:\n```json\n{}\n```", "{} I hope it helps."])
def test_a_row_of_the_same_keys_is_taken(around: str) -> None:
    assert answered(around.replace("{}", json.dumps(OTHER))) == OTHER


def test_a_conversation_is_taken_with_its_own_turns() -> None:
    said = {"conversations": [{"from": "user", "value": "Good day"}, {"from": "assistant", "value": "Yes?"}]}
    assert answered(said, CHAT) == said
    assert answered({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, CHAT) is None
    assert answered({"conversations": said["conversations"][:1]}, CHAT) is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot.",
        "}{",
        "{",
        "[" * 100_000 + "{" * 100_000 + "}",
        ROW,
        {"instruct": "a", "output": "b"},
        OTHER | {"more": "x"},
        OTHER | {"output": ""},
        OTHER | {"input": "was empty"},
        OTHER | {"output": 2},
        OTHER | {"output": ["2"]},
        OTHER | {"output": "half \ud800"},
        OTHER | {"output": "x" * 200_001},
    ],
)
def test_anything_else_is_refused(answer: Any) -> None:
    assert answered(answer) is None


def test_only_the_row_is_told() -> None:
    assert json.loads(question(ROW).user) == ROW


def test_repeats_and_near_duplicates_of_test_rows_are_not_kept() -> None:
    test = {"instruct": "What is the sum of one and one?", "input": "", "output": "It is two of course."}
    near = test | {"output": "It is TWO, of course!"}
    assert fresh([OTHER, OTHER, ROW, near], [ROW], [test]) == [OTHER]
