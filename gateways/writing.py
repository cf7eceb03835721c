"""A language model behind an OpenAI-compatible endpoint. It sees rows of train and our questions."""

import json
from typing import Any
from urllib.parse import urlsplit

from core.errors import PrerequisiteError, UnreachableError
from gateways.settings import WriterSettings

TEMPERATURE = 0.6
MOST_TOKENS = 5024
MOST_BYTES = 4 << 20
"""Of one answer."""
_LOCAL = {"localhost", "127.0.0.1", "::1"}


class CompletionsWriter:
    """Keeps `core.ports.Writer`. Raises PrerequisiteError for an endpoint that is neither https nor local."""

    def __init__(self, settings: WriterSettings) -> None:
        parts = urlsplit(settings.endpoint)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise PrerequisiteError(
                f"the writer {settings.endpoint} is not encrypted: use https in GOD_WRITER__ENDPOINT"
            )
        if not settings.model:
            raise PrerequisiteError("the writer has no model: name one in GOD_WRITER__MODEL")
        self._settings = settings

    def write(self, system: str, user: str) -> str:
        """What stands after its thoughts, where it gives any."""
        text = self._content(self._ask(system, user))
        return text.rpartition("</think>")[2].strip()

    def _ask(self, system: str, user: str) -> bytes:
        import httpx

        said = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        question = {
            "model": self._settings.model,
            "messages": said,
            "temperature": TEMPERATURE,
            "max_tokens": MOST_TOKENS,
        }
        key = self._settings.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = f"{self._settings.endpoint.rstrip('/')}/chat/completions"
        try:
            with (
                httpx.Client(timeout=self._settings.seconds, trust_env=False, headers=headers) as web,
                web.stream("POST", address, json=question) as answer,
            ):
                body = _bounded(answer)
        except httpx.HTTPError as e:
            raise UnreachableError(f"the writer {self._settings.endpoint} does not answer: {type(e).__name__}") from e
        self._check(answer.status_code)
        return body

    def _check(self, status: int) -> None:
        if status >= 500 or status in (408, 429):
            raise UnreachableError(f"the writer {self._settings.endpoint} is in trouble: it answers {status}")
        if status != 200:
            raise PrerequisiteError(
                f"the writer {self._settings.endpoint} answers {status}: look at GOD_WRITER__ENDPOINT, __MODEL and "
                "__API_KEY"
            )

    def _content(self, body: bytes) -> str:
        try:
            found = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as e:
            raise PrerequisiteError(
                f"the writer {self._settings.endpoint} does not answer as OpenAI's do: look at GOD_WRITER__ENDPOINT"
            ) from e
        return found if isinstance(found, str) else ""


def _bounded(answer: Any) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise UnreachableError(f"the writer's answer is longer than {MOST_BYTES >> 20} MiB")
    return bytes(body)
