"""Rows of a chat test set as samples. The rules are in docs/measurement.md, chapter 3.

Where the assistant's answers stand in a rendered conversation is found by rendering it twice: as it is, and with a
mark in place of each answer. What stands between the marks must stand in both, letter by letter, with the answers
(or the answers stripped of white space at their ends) between; otherwise the row is refused.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from core.challenge import ChatDataset
from core.errors import PrerequisiteError
from core.value import canonical_json, sha256_hex
from evaluators.packing import Sample, TokenSequence
from evaluators.rows import Row, RowError, require_columns, sound_text
from evaluators.templates import ChatTemplate, Messages, TemplateFailedError

Spans = list[tuple[int, int]]
_SHOWN = ["user", "assistant", "user", "assistant"]
"""The conversation that shows how a template ends an assistant's turn."""


_ENDING = re.compile(r"\s*\S+")


class UnclearError(Exception):
    """A conversation whose answers cannot be found in its text."""


def samples(rows: Sequence[Row], dataset: ChatDataset, tokenizer: Any, length: int) -> list[Sample]:
    """A sample for every row, in order, none longer than `length` tokens."""
    require_columns(rows, (dataset.chat_column,))
    conversations = [conversation_of(row, dataset, number) for number, row in enumerate(rows)]
    template = ChatTemplate(dataset.chat_template, tokenizer)
    texts, ending = _texts(template, tokenizer, conversations)
    found: list[Sample] = []
    for number, (messages, (text, marked)) in enumerate(zip(conversations, texts, strict=True)):
        try:
            spans = answer_spans(messages, text, marked, ending)
        except UnclearError as e:
            raise RowError(number, f"the chat template {template.name!r} {e}: drop the row, or use chatml") from e
        found.append((_sequence(tokenizer, text, spans, length),))
    return found


def conversation_of(row: Row, dataset: ChatDataset, number: int = 0) -> Messages:
    """The row's messages up to the last of the assistant's; none where it says nothing."""
    said = row.get(dataset.chat_column)
    if not isinstance(said, list):
        raise RowError(number, f"{dataset.chat_column!r} is no list of messages")
    messages = [_message(turn, dataset, number, at) for at, turn in enumerate(said)]
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    return messages[: answers[-1] + 1] if answers else []


def _message(turn: object, dataset: ChatDataset, number: int, at: int) -> dict[str, str]:
    roles = {dataset.chat_user_reference: "user", dataset.chat_assistant_reference: "assistant", "system": "system"}
    if not isinstance(turn, dict):
        raise RowError(
            number, f"message {at} is no object with {dataset.chat_role_field!r}: prepare the challenge again"
        )
    role = turn.get(dataset.chat_role_field)
    if not isinstance(role, str) or role not in roles:
        raise RowError(
            number, f"message {at}: its {dataset.chat_role_field!r} {role!r} is none of {sorted(roles)}: map it"
        )
    content = sound_text(turn.get(dataset.chat_content_field), number, f"message {at}: {dataset.chat_content_field!r}")
    return {"role": roles[role], "content": content}


def _texts(template: ChatTemplate, tokenizer: Any, conversations: list[Messages]) -> tuple[list[tuple[str, str]], str]:
    """For each conversation its text and the one with marks; and how an assistant's turn ends."""
    shown = [{"role": role, "content": f"GOD{at}SHOWN"} for at, role in enumerate(_SHOWN)]
    wanted = [shown, *conversations, *map(marked, conversations)]
    try:
        found, *texts = template.render(wanted)
    except TemplateFailedError as e:
        reason = f"the chat template {template.name!r} is refused: {e.reason}; use chatml"
        raise RowError((e.at - 1) % len(conversations), reason) if e.at else PrerequisiteError(reason) from e
    pairs = zip(texts[: len(conversations)], texts[len(conversations) :], strict=True)
    return list(pairs), ending_of(found, tokenizer)


def ending_of(shown: str, tokenizer: Any) -> str:
    """The end of an assistant's turn: the tokens that follow its content both within a conversation and at its end.

    It ends before white space. Empty for a template that writes none.
    """
    between, last = shown.partition("GOD1SHOWN")[2], shown.partition("GOD3SHOWN")[2]
    ending = ""
    for (one, _), (other, end) in zip(_tokens(tokenizer, between), _tokens(tokenizer, last), strict=False):
        if one != other:
            break
        ending = last[:end]
    found = _ENDING.match(ending)
    return found[0] if found else ""


def _tokens(tokenizer: Any, text: str) -> Iterator[tuple[int, int]]:
    """Ids and where in the text they end."""
    encoded = _encode(tokenizer, text)
    return ((token, end) for token, (_, end) in zip(encoded.input_ids, encoded.offset_mapping, strict=True))


def marked(messages: Messages) -> Messages:
    """The conversation with a mark in place of each of the assistant's contents."""
    marks = iter(_marks(messages))
    return [message | {"content": next(marks)} if message["role"] == "assistant" else message for message in messages]


def _marks(messages: Messages) -> list[str]:
    name = sha256_hex(canonical_json(messages))[:24]
    answers = sum(message["role"] == "assistant" for message in messages)
    return [f"GOD{name}N{number:06d}X" for number in range(answers)]


def answer_spans(messages: Messages, text: str, with_marks: str, ending: str) -> Spans:
    """Where in the text the answers that are not empty stand, with the end of their turns. Raises UnclearError."""
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    literals = _split(with_marks, _marks(messages))
    if not text.startswith(literals[0]):
        raise UnclearError("writes what is before an answer otherwise when the answer changes")
    spans, at = [], len(literals[0])
    for answer, after in zip(answers, literals[1:], strict=True):
        written = _written(answer, text[at:], after)
        if written and not after.startswith(ending):
            raise UnclearError(f"does not end every answer with {ending!r}")
        if written:
            spans.append((at, at + len(written) + len(ending)))
        at += len(written) + len(after)
    if at != len(text):
        raise UnclearError("writes on after the last answer when the answer changes")
    return spans


def _split(text: str, marks: list[str]) -> list[str]:
    parts = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found or mark in text:
            raise UnclearError("leaves out an answer, or writes it twice")
        parts.append(before)
    return [*parts, text]


def _written(answer: str, text: str, after: str) -> str:
    """What became of the answer at the head of `text`, followed by `after`."""
    for written in (answer, answer.strip(), answer.lstrip(), answer.rstrip()):
        if text.startswith(written + after):
            return written
    raise UnclearError("changes an answer")


def _sequence(tokenizer: Any, text: str, spans: Spans, length: int) -> TokenSequence:
    """The text's first tokens; those that hold a letter of a span count."""
    encoded = _encode(tokenizer, text)
    tokens = tuple(encoded.input_ids[:length])
    places = encoded.offset_mapping[:length]
    counted = (
        position
        for position, (begin, end) in enumerate(places)
        if position and any(begin < span_end and end > span_begin for span_begin, span_end in spans)
    )
    return TokenSequence(tokens, tuple(counted))


def _encode(tokenizer: Any, text: str) -> Any:
    if not tokenizer.is_fast:
        raise PrerequisiteError("the base's tokenizer does not tell where its tokens stand: choose another base")
    return tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
