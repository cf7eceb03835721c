"""Rows as sources have them, and preparation with the rules' bounds."""

from decimal import Decimal
from typing import Any

from core.challenge import ChallengeKind, DatasetInfo
from preparation.prepare import Bounds, Prepared, prepare
from tests import builders

RULES = Bounds(minimum_rows=2000, test_share=Decimal("0.1"), test_most=400)
COLUMNS = {
    ChallengeKind.INSTRUCT: {"instruct": "task", "input": "source", "output": "answer"},
    ChallengeKind.CHAT: {"conversations": "messages"},
    ChallengeKind.DPO: {"prompt": "question", "chosen": "good", "rejected": "bad"},
    ChallengeKind.GRPO: {"prompt": "question", "extra_data": "expected"},
}


def dataset(kind: ChallengeKind = ChallengeKind.INSTRUCT, **changes: Any) -> DatasetInfo:
    return builders.dataset(**{"kind": kind, "columns": COLUMNS[kind]} | changes)


def source(kind: ChallengeKind, number: int, **changes: Any) -> dict[str, Any]:
    """Row `number` of its kind; it shares no five words with another."""
    text = " ".join(f"{word}{number}" for word in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta"))
    made: dict[ChallengeKind, dict[str, Any]] = {
        ChallengeKind.INSTRUCT: {"task": "Say it.", "source": text, "answer": f"answer {number}"},
        ChallengeKind.CHAT: {
            "messages": [{"from": "user", "value": text}, {"from": "assistant", "value": f"answer {number}"}]
        },
        ChallengeKind.DPO: {"question": text, "good": f"good {number}", "bad": f"bad {number}"},
        ChallengeKind.GRPO: {"question": text, "expected": {"parameters": number}},
    }
    return made[kind] | {"more": 1} | changes


def sources(kind: ChallengeKind, count: int, start: int = 0) -> list[dict[str, Any]]:
    return [source(kind, number) for number in range(start, start + count)]


def prepared(rows: list[Any], kind: ChallengeKind = ChallengeKind.INSTRUCT, **changes: Any) -> Prepared:
    """By rules that ask for few rows."""
    bounds = {"minimum_rows": 2, "test_share": Decimal("0.1"), "test_most": 400} | changes
    return prepare(dataset(kind), [rows], "5e", Bounds(**bounds))
