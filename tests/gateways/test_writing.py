"""A language model's endpoint, played by a small server on the loopback."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import PrerequisiteError, UnreachableError
from gateways.settings import WriterSettings
from gateways.writing import CompletionsWriter
from tests.gateways.web_server import Answer, serving


def said(content: Any) -> Answer:
    return Answer(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode())


def writer(address: str, **changes: Any) -> CompletionsWriter:
    return CompletionsWriter(WriterSettings(**{"endpoint": f"{address}/v1/", "model": "small"} | changes))


def test_the_question_is_asked_and_the_answer_is_what_follows_the_thoughts() -> None:
    asked: list[tuple[str, Any]] = []

    def respond(path: str, body: bytes) -> Answer:
        asked.append((path, json.loads(body)))
        return said("<think>hm, {}</think>\n{}")

    with serving(respond) as address:
        assert writer(address, api_key=SecretStr("key")).write("be good", "a row") == "{}"
    ((path, question),) = asked
    assert path == "/v1/chat/completions" and question["model"] == "small"
    assert [message["content"] for message in question["messages"]] == ["be good", "a row"]


@pytest.mark.parametrize("content", [None, 7, []])
def test_an_answer_that_is_no_text_is_empty(content: Any) -> None:
    with serving(lambda path, body: said(content)) as address:
        assert writer(address).write("", "") == ""


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (Answer(b"", 503), UnreachableError, "is in trouble: it answers 503"),
        (Answer(b"", 429), UnreachableError, "is in trouble: it answers 429"),
        (Answer(b"", 401), PrerequisiteError, "answers 401: look at GOD_WRITER__ENDPOINT"),
        (Answer(b"hello"), PrerequisiteError, "does not answer as OpenAI's do"),
        (Answer(b'{"choices": []}'), PrerequisiteError, "does not answer as OpenAI's do"),
        (Answer(b"x" * (5 << 20)), UnreachableError, "longer than 4 MiB"),
    ],
)
def test_an_endpoint_that_does_not_serve_is_named(answer: Answer, error: type[Exception], told: str) -> None:
    with serving(lambda path, body: answer) as address, pytest.raises(error, match=told):
        writer(address).write("", "")


def test_an_endpoint_that_is_away_may_come_back() -> None:
    with serving(lambda path, body: said("")) as address:
        pass
    with pytest.raises(UnreachableError, match="does not answer: ConnectError"):
        writer(address).write("", "")


def test_a_writer_is_set_up_whole() -> None:
    with pytest.raises(PrerequisiteError, match="is not encrypted"):
        CompletionsWriter(WriterSettings(endpoint="http://writer.example/v1", model="small"))
    with pytest.raises(PrerequisiteError, match="name one in GOD_WRITER__MODEL"):
        CompletionsWriter(WriterSettings(endpoint="https://writer.example/v1"))
