"""Functions that a language model wrote, from a small server on the loopback to the ones that are kept."""

import json

from core.challenge import GrpoDataset
from core.rewards.contract import name_of
from core.rewards.drafting import candidates, draft, question, sound
from evaluators.rewards.sandbox import Sandbox
from evaluators.rewards.validation import validate
from gateways.settings import WriterSettings
from gateways.writing import CompletionsWriter
from tests.gateways.web_server import Answer, serving

GOOD = """\
def calm(completions, **kwargs):
    '''1 without an exclamation mark.'''
    return [float("!" not in text) for text in completions]
"""
ANSWER = f"""<think>```python
def thought(completions): return []
```</think>
```python
{GOOD}```
and again, and others
```py
{GOOD}```
```python
def crashes(completions, **kwargs):
    return [len(text) / 0 for text in completions]
```
```python
def no_python(completions
```
```python
import os
def nosy(completions, **kwargs):
    return [float(len(os.listdir("/"))) for _ in completions]
```
```python
print("no function")
```
"""


def test_from_question_to_sound_functions(sandbox: Sandbox) -> None:
    asked: list[str] = []

    def respond(path: str, body: bytes) -> Answer:
        asked.append(json.loads(body)["messages"][1]["content"])
        return Answer(json.dumps({"choices": [{"message": {"role": "assistant", "content": ANSWER}}]}).encode())

    with serving(respond) as address:
        offered = draft(CompletionsWriter(WriterSettings(endpoint=f"{address}/v1", model="small")), 2)
    assert asked == [question(3)] and asked[0].startswith("Write 3 different functions")
    assert [name_of(function.reward_func) for function in offered] == ["calm", "crashes", "nosy"]
    verdicts = validate(GrpoDataset(reward_functions=offered), [{"prompt": "a row!"}], sandbox)
    (kept,) = sound(offered, verdicts, 2)
    assert kept.reward_func == GOOD and kept.is_generic and not kept.is_manual


def test_answers_that_hold_nothing() -> None:
    assert candidates("") == candidates("```python\n```") == candidates("no blocks, def f(completions): ...") == ()


def test_the_examples_in_the_question_are_functions() -> None:
    assert len(candidates(question(4))) == 2
