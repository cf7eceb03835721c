"""Reward functions in their own process give what the evaluation's give, and take nothing down with them."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from trainer.rewards import Judge

from core.challenge import GrpoDataset, RewardFunction
from core.rewards import library
from core.rewards.contract import of_source
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.scoring import Judge as Theirs
from evaluators.rewards.scoring import weighted

TEXTS = ("The quick brown fox. It jumps (high)!", "def add(a, b):\n    return a + b\n", "", "- one\n- two\n\\boxed{4}")
Make = Callable[..., Judge]


@pytest.fixture
def judge() -> Iterator[Make]:
    made: list[Judge] = []

    def make(*sources: str, seconds: float = 10.0) -> Judge:
        functions = [of_source(source).model_dump() for source in sources]
        made.append(Judge(functions, seconds))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def source(body: str) -> str:
    return f"def earn(completions, **kwargs):\n    {body}\n"


def test_the_collections_functions_give_what_the_evaluation_gives(judge: Make) -> None:
    functions = library.generic()
    ours = judge(*(function.reward_func for function in functions)).rewards(TEXTS, "Say it.", None)
    with Sandbox() as sandbox:
        theirs = Theirs(GrpoDataset(reward_functions=functions), sandbox).marks(TEXTS, "Say it.")
        assert ours == pytest.approx(weighted(theirs))


def test_those_that_read_the_row_and_run_programs_as_well(judge: Make) -> None:
    entry = library.entries()["passes_tests"]
    extra = '{"tests": ["assert double(2) == 4", "assert double(0) == 0"]}'
    texts = ["def double(x):\n    return 2 * x", "def double(x):\n    return 4", "no program"]
    ours = judge(entry.function.reward_func).rewards(texts, "Double it.", extra)
    with Sandbox() as sandbox:
        theirs = Theirs(_dataset(entry.function), sandbox).marks(texts, "Double it.", extra)
        assert ours == list(weighted(theirs)) == [1.0, 0.5, 0.0]


def _dataset(function: RewardFunction) -> GrpoDataset:
    return GrpoDataset(reward_functions=(function,), extra_column="extra_data")


def test_weights_are_shares_and_values_are_cut(judge: Make) -> None:
    both = judge(source("return [7 for text in completions]"), source("return [-1.0 for text in completions]"))
    assert both.rewards(["a", "b"], "p", None) == [0.5, 0.5]


def test_prompt_and_extra_are_given_to_those_that_ask(judge: Make) -> None:
    body = "return [float(p == 'p' and e == {'x': 1}) for p, e in zip(prompts, extra_data)]"
    asks = f"def earn(completions, prompts, extra_data):\n    {body}\n"
    assert judge(asks).rewards(["a", "b"], "p", {"x": 1}) == [1.0, 1.0]


@pytest.mark.parametrize(
    "body",
    [
        "import os; os._exit(1)",
        "raise ValueError",
        "return [float('nan')] * len(completions)",
        "return [1.0]*9",
        "return None",
        "return ['1'] * len(completions)",
        "return [True] * len(completions)",
    ],
)
def test_what_fails_earns_nothing_and_the_next_is_judged(judge: Make, body: str) -> None:
    bad = judge(source(body))
    assert bad.rewards(["a", "b"], "p", None) == [0.0, 0.0]
    assert judge(source("return [1.0] * len(completions)")).rewards(["a"], "p", None) == [1.0]


def test_only_the_completion_that_it_fails_on_earns_nothing(judge: Make) -> None:
    picky = judge(source("return [1 / len(text) for text in completions]"))
    assert picky.rewards(["a", "", "bb"], "p", None) == [1.0, 0.0, 0.5]


def test_a_call_that_hangs_is_ended(judge: Make) -> None:
    began = time.monotonic()
    assert judge(source("while True: pass"), seconds=0.5).rewards(["a"], "p", None) == [0.0]
    assert time.monotonic() - began < 10


def test_what_a_function_prints_is_no_answer(judge: Make) -> None:
    chatty = judge(source("print('[1.0, 1.0]', flush=True); return [0.25] * len(completions)"))
    assert chatty.rewards(["a", "b"], "p", None) == [0.25, 0.25]


def test_it_sees_nothing_of_our_environment(judge: Make, monkeypatch: Any) -> None:
    monkeypatch.setenv("SECRET", "1")
    curious = judge(source("import os; return [float('SECRET' in os.environ)] * len(completions)"))
    assert curious.rewards(["a"], "p", None) == [0.0]
