"""Conversations as sources have them → messages `{"from": role, "value": content}` of user, assistant and system."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from core.challenge import ChatDataset
from preparation.objection import EmptyRowError, ObjectionError

FEWEST_MESSAGES = 2
SYSTEM = "system"
STANDARD = ChatDataset()


class Conversation(NamedTuple):
    messages: list[dict[str, str]]
    left_out: int
    """Messages without role or content."""


def conversation(value: Any, names: ChatDataset) -> Conversation:
    """Raises ObjectionError when the rest is no conversation that an answer can be learnt from.

    Args:
        value: a list of messages, or its JSON.
        names: of fields and roles in the source.
    """
    if value is None or value in ("", []):
        raise EmptyRowError("empty")
    given = _parsed(value)
    messages = [message for item in given if (message := _message(item, names)) is not None]
    if len(messages) < FEWEST_MESSAGES:
        raise ObjectionError(f"fewer than {FEWEST_MESSAGES} messages with role and content")
    if not any(message["from"] == STANDARD.chat_assistant_reference for message in messages):
        raise ObjectionError("no message of the assistant")
    return Conversation(messages, len(given) - len(messages))


def _parsed(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as e:
            raise ObjectionError("the conversation is text, but not JSON") from e
    if not isinstance(value, list):
        raise ObjectionError("the conversation is no list of messages")
    return value


def _message(item: Any, names: ChatDataset) -> dict[str, str] | None:
    """None without role or content."""
    if not isinstance(item, Mapping):
        raise ObjectionError("a message is no object of role and content")
    role, content = item.get(names.chat_role_field), item.get(names.chat_content_field)
    if not isinstance(role, str | None) or not isinstance(content, str | None):
        raise ObjectionError("a message's role or content is no text")
    if not role or not role.strip() or not content or not content.strip():
        return None
    return {STANDARD.chat_role_field: _role(role, names), STANDARD.chat_content_field: content}


def _role(role: str, names: ChatDataset) -> str:
    if role == names.chat_user_reference:
        return STANDARD.chat_user_reference
    if role == names.chat_assistant_reference:
        return STANDARD.chat_assistant_reference
    if role == SYSTEM:
        return SYSTEM
    raise ObjectionError("a message of somebody who is neither system, user nor assistant")
