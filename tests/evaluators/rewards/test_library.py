"""Every function of the collection: values worked out by hand, and its bounds on texts that nobody expects."""

import json
import random
from typing import Any

import pytest

from core.rewards.contract import asks_for, name_of
from core.rewards.library import entries, generic
from evaluators.rewards.sandbox import Sandbox

EASY = "Simple words are easy. Reading matters."
"""6 words in 2 sentences; syllables 2 + 1 + 1 + 2, 2 + 2 = 10."""
CODE = "def add(a: int, b) -> int:\n    '''Sum.'''\n    return a + b\n\n\nclass A:\n    pass\n"
FENCED = f"Here:\n```python\n{CODE}```\n"
GENERIC = [
    ("near_100_characters", "", "x" * 100, 1.0),
    ("near_100_characters", "", "x" * 175, 0.25),
    ("near_100_characters", "", "x" * 500, 0.0),
    ("near_30_words", "", "word " * 36, 0.8),
    ("short_answer", "", "x" * 200, 1.0),
    ("short_answer", "", "x" * 800, 0.25),
    ("short_answer", "", " \n", 0.0),
    ("long_answer", "", "word " * 30, 0.2),
    ("long_answer", "", "word " * 300, 1.0),
    ("three_sentences", "", "One. Two? Three... four.", 2 / 3),
    ("three_sentences", "", "One. Two? Three!", 1.0),
    ("sentences_of_15_words", "", "one two three four five six. " * 2, 0.4),
    ("lines_within_80", "", "x" * 80 + "\n\n" + "x" * 81, 0.5),
    ("varied_words", "", "To be, or not to be", 4 / 6),
    ("varied_words", "", "", 0.0),
    ("repeated_words", "", "To be, or not to be", 2 / 6),
    ("no_repeated_phrases", "", "a b c a b c", 3 / 4),
    ("no_repeated_phrases", "", "a b", 1.0),
    ("reasoning_words", "", "First, it holds because x; therefore, because y.", 0.6),
    ("plain_words", "", "This sentence is ordinary", 0.5),
    ("long_words", "", "one ordinary two three four five", 0.5),
    ("no_filler", "", "This is very nice and really quite good, one two", 0.0),
    ("no_filler", "", "It is just " + "a " * 17, 0.5),
    ("own_words", "say it", "Say it again now", 0.5),
    ("on_topic", "What does the function return?", "The function returns", 1 / 4),
    ("on_topic", "", "anything", 1.0),
    ("reading_ease", "", EASY, 0.6279),
    ("reading_ease", "", "The cat sat on the mat.", 1.0),
    ("demanding_text", "", EASY, 0.3721),
    ("demanding_text", "", "Comprehensive understanding necessitates dedication.", 1.0),
    ("grade_near_12", "", EASY, 1 - (12 - (0.39 * 3 + 11.8 * 10 / 6 - 15.59)) / 10),
    ("few_syllables", "", EASY, 2 / 3),
    ("think_answer_tags", "", "<think>a</think>\n<answer>b</answer>", 1.0),
    ("think_answer_tags", "", "<think>a</think>\n<answer>b</answer> and more", 0.75),
    ("think_answer_tags", "", "<think>a</think> b", 0.5),
    ("valid_json", "", '```json\n{"a": 1}\n```', 1.0),
    ("valid_json", "", "17", 0.5),
    ("valid_json", "", "{'a': 1}", 0.0),
    ("bulleted_list", "", "Points:\n- one\n* two\n• three", 0.75),
    ("bulleted_list", "", "- one", 0.0),
    ("numbered_steps", "", "1. a\n2) b\n5. c", 2 / 3),
    ("one_fenced_block", "", FENCED, 1.0),
    ("one_fenced_block", "", FENCED * 2, 0.5),
    ("one_fenced_block", "", "```python\nx = 1\n", 0.0),
    ("whole_sentences", "", " Yes. ", 1.0),
    ("whole_sentences", "", "yes!", 0.5),
    ("balanced_brackets", "", "a(b[c]{})", 1.0),
    ("balanced_brackets", "", "(a]", 0.0),
    ("balanced_brackets", "", "(a) ]", 2 / 3),
    ("no_markup", "", "plain text", 1.0),
    ("no_markup", "", "# Title\n**bold**", 0.5),
    ("boxed_answer", "", r"so \boxed{4}", 1.0),
    ("boxed_answer", "", r"\boxed{4} or \boxed{5}, \boxed{ }", 0.5),
    ("mostly_letters", "", "ab#$", 0.5),
    ("correct_arithmetic", "", "12 + 7 = 19, 3*4=13, 10 / 4 = 2.5 and 1/3 = 0.33", 0.75),
    ("correct_arithmetic", "", "nothing, not even 1 / 0", 0.0),
    ("correct_arithmetic", "", "1 / 0 = 0", 0.0),
    ("python_parses", "", FENCED, 1.0),
    ("python_parses", "", "x = 1\ny = 2\nz = (\nw = 3", 0.25),
    ("python_parses", "", "", 0.0),
    ("documented_functions", "", FENCED, 0.5),
    ("annotated_arguments", "", CODE, 2 / 3),
    ("docstring_of_code", "def area(width: int, height=2):", "Area of a thing, by its width and height.", 1.0),
    ("docstring_of_code", "def area(width, height):", "The width", 0.5),
]
SAT = {"task_type": "SAT", "cls": [[1, -2], [2, 3], [-1, -3], [4]]}
DOUBLE = "n = int(input())\nn *= 2\nprint('result', n)"
ABD = {"task_type": "ABD", "program": DOUBLE, "expected_output": "result 14\n"}
DED = {"task_type": "DED", "solution": DOUBLE, "premises": ["7", "8"]}
LISTED: Any = {"task_type": "DED", "solution": "print(open('x'))", "premises": ["7"]}
TAGS = "<think>perhaps <INPUT>9</INPUT></think>"


def block(source: str) -> str:
    return f"<think>```\nraise\n```</think>I say\n```python\n{source}\n```\n"


WITH_EXTRA = [
    ("exact_answer", {"answer": "Paris"}, "<answer>London</answer> no, <answer> paris\n</answer>", 1.0),
    ("exact_answer", '{"answer": 4}', "4", 1.0),
    ("exact_answer", {"answer": "Paris"}, "It is Paris", 0.0),
    ("final_number", {"answer": "1,200.50"}, "3 times, so 1,200.5", 1.0),
    ("final_number", {"answer": 3}, "3 of 4", 0.25),
    ("final_number", {"answer": 3}, "none", 0.0),
    ("matches_pattern", {"pattern": "[a-z]+"}, " abc\n", 1.0),
    ("matches_pattern", {"pattern": "[a-z]+"}, "abc 1", 0.5),
    ("covers_keywords", {"keywords": ["sum", "two", "list", "C++"]}, "The SUM of two sums, in C++", 0.75),
    ("chosen_option", {"answer": "B"}, "A is wrong. It's B.", 1.0),
    ("chosen_option", {"answer": "B"}, "Because of this", 0.0),
    ("json_fields", {"fields": {"a": 1, "b": [2]}}, '{"a": 1, "b": [3]}', 0.5),
    ("right_signature", {"signature": "def area(width, height):"}, "def area(width, depth, height): pass", 0.6),
    ("right_signature", {"signature": "def area(width, height)"}, "def area(width, height): pass", 1.0),
    ("passes_tests", {"tests": ["assert add(1, 2) == 3", "assert add(1, 1) == 3"]}, FENCED, 0.5),
    ("passes_tests", {"tests": ["pass"]}, "while True: pass", 0.0),
    ("affine_sat", SAT, "x1 = True, x2=false\nx3 = 1 and x4=0", 0.5),
    ("affine_sat", SAT, "x1 = 0, X1 = 1, x2 = 1, x3 = 0, x4 = 1", 1.0),
    ("affine_sat", SAT, "no idea", 0.0),
    ("affine_sat", {**SAT, "task_type": "ABD"}, "x1 = True", 0.0),
    ("affine_abd", ABD, f"{TAGS} is 7", 0.0),
    ("affine_abd", ABD, f"{TAGS}<INPUT>7", 0.1),
    ("affine_abd", ABD, f"{TAGS}<INPUT>seven</INPUT>", 0.2),
    ("affine_abd", {**ABD, "program": "print()"}, "<INPUT>7</INPUT>", 0.3),
    ("affine_abd", ABD, f"{TAGS}<INPUT>8</INPUT>", 0.3 + 0.6 * 8 / 9),
    ("affine_abd", json.dumps(ABD), f"{TAGS}<INPUT>8</INPUT> no <INPUT>\n7\n</INPUT>", 1.0),
    ("affine_abd", {**ABD, "program": "while True: pass"}, "<INPUT>7</INPUT>", 0.2),
    ("affine_abd", DED, "<INPUT>7</INPUT>", 0.0),
    ("affine_ded", DED, "the answer is 14", 0.0),
    ("affine_ded", DED, "def f(): return 14", 0.1),
    ("affine_ded", DED, block("def f(:"), 0.2),
    ("affine_ded", {**DED, "premises": []}, block("print(14)"), 0.3),
    ("affine_ded", LISTED, block("print(14)"), 0.35),
    ("affine_ded", DED, block("print(int('x'))"), 0.4),
    ("affine_ded", DED, block("print(15)"), 0.5),
    ("affine_ded", DED, block("pass"), 0.5),
    ("affine_ded", DED, block("print(14)"), 0.8),
    ("affine_ded", DED, block("print('the result 14')"), 0.8),
    ("affine_ded", DED, block(DOUBLE), 1.0),
    ("affine_ded", SAT, block(DOUBLE), 0.0),
]


@pytest.mark.parametrize(("name", "prompt", "text", "expected"), GENERIC)
def test_golden(sandbox: Sandbox, name: str, prompt: str, text: str, expected: float) -> None:
    assert sandbox.values(entries()[name].function, [text], prompt) == pytest.approx([expected])


@pytest.mark.parametrize(("name", "extra", "text", "expected"), WITH_EXTRA)
def test_golden_with_extra(sandbox: Sandbox, name: str, extra: Any, text: str, expected: float) -> None:
    assert sandbox.values(entries()[name].function, [text], "", extra) == pytest.approx([expected])


def nasty_texts() -> list[str]:
    source = random.Random(5)
    signs = "aAeé9.,!?()[]{}<>`\"'\\#*-=+/\n\t \0\ud800🙂_x1True"
    drawn = ["".join(source.choices(signs, k=source.randrange(200))) for _ in range(60)]
    pieces = ["", " ", "\n", "((((" * 500, "```" * 3, "x1 = 1", "1 / 0 = 9", "9" * 4000, "a " * 3000, "1. " * 50]
    return [*drawn, *pieces, "<INPUT></INPUT>", "```python\n\n```", "\\boxed{{{", "<answer></answer>" * 9]


@pytest.mark.parametrize("name", entries())
@pytest.mark.parametrize("extra", [None, {}, "[]", {"task_type": "SAT", "cls": [[]]}, {"tests": [], "answer": None}])
def test_bounds(sandbox: Sandbox, name: str, extra: Any) -> None:
    values = sandbox.values(entries()[name].function, nasty_texts(), "def f(x=): \\ (", extra)
    assert isinstance(values, list) and all(0 <= value <= 1 for value in values), values


def test_every_function_has_golden_values_and_words_about_itself() -> None:
    tested = {row[0] for row in (*GENERIC, *WITH_EXTRA)}
    assert tested == entries().keys() and len(tested) >= 30
    for name, entry in entries().items():
        assert entry.name == name == name_of(entry.function.reward_func) and len(entry.description) > 20
        assert (
            entry.function.is_generic
            == (not entry.needs_extra)
            == (not asks_for(entry.function.reward_func, "extra_data"))
        )


def test_what_challenges_draw_from() -> None:
    assert len(generic()) >= 30
    assert len({function.func_hash for function in generic()}) == len(generic())
