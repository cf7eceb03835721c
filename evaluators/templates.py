"""Chat templates: which one, and conversations rendered by it in a process of its own (`evaluators/rendering.py`)."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import PrerequisiteError

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
)
MOST_TEMPLATE = 1 << 17
SECONDS = 600
"""For all conversations together."""
_PROGRAM = Path(__file__).with_name("rendering.py")

Messages = list[dict[str, str]]


class TemplateFailedError(Exception):
    """Rendering stopped at a conversation."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at, self.reason = at, reason


class ChatTemplate:
    """A template by its name, with the base's special tokens."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        self.name = name
        self._source = _source(name, tokenizer)
        tokens = {key: str(token) for key, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
        self._variables = {"tools": None, "documents": None, **tokens}

    def render(self, conversations: Sequence[Messages]) -> list[str]:
        """Their texts, in order. Raises TemplateFailedError."""
        size = len(json.dumps(conversations))
        task = {
            "template": self._source,
            "variables": self._variables,
            "conversations": conversations,
            "most_characters": 16 * size + 4096 * len(conversations) + len(self._source) * len(conversations),
        }
        try:
            done = subprocess.run(
                [sys.executable, "-I", _PROGRAM],
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=SECONDS,
                env={},
            )
        except subprocess.TimeoutExpired as e:
            raise TemplateFailedError(0, f"all conversations together take longer than {SECONDS} s") from e
        return _texts([json.loads(line) for line in done.stdout.splitlines()], len(conversations))


def _texts(answers: list[dict[str, str]], wanted: int) -> list[str]:
    for at, answer in enumerate(answers):
        if "error" in answer:
            raise TemplateFailedError(at, answer["error"])
    if len(answers) < wanted:
        raise TemplateFailedError(len(answers), "it had to be stopped: too much time or memory")
    return [answer["text"] for answer in answers]


def _source(name: str, tokenizer: Any) -> str:
    if name == "chatml":
        return CHATML
    if name != "base":
        raise PrerequisiteError(f"chat template {name!r} is unknown: chatml, or base for the base model's own")
    source = tokenizer.chat_template
    if isinstance(source, dict):
        source = source.get("default")
    if not isinstance(source, str) or not source:
        raise PrerequisiteError("the base model has no chat template: prepare the challenge with chatml")
    if len(source) > MOST_TEMPLATE:
        raise PrerequisiteError(f"the base model's chat template has more than {MOST_TEMPLATE} characters: use chatml")
    return source
