"""The program that renders chat templates, in a process of its own with little time, little memory and no files.

It reads one JSON object from standard input and writes one JSON object a line to standard output: a text for each
conversation in order, or the reason why there is none, which ends it. Run by `evaluators/templates.py`, by its path
and isolated, so it imports nothing of ours.

Template semantics are those of transformers' `apply_chat_template` (transformers/utils/chat_template_utils.py):
`trim_blocks`, `lstrip_blocks`, loop controls, `tojson` without HTML escapes, `raise_exception`, `strftime_now`, and
`{% generation %}` blocks, which change nothing here.
"""

import json
import resource
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_BYTES = 1 << 29
MOST_CHARACTERS = 1 << 23
SECONDS = 2
"""For one conversation; one more on the CPU ends the process, whatever it is doing."""
DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""What `strftime_now` says: always the same day, so that a text is always the same."""


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}`: what is between them."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class Environment(ImmutableSandboxedEnvironment):
    def unsafe_undefined(self, _obj: Any, attribute: str) -> Undefined:
        raise SecurityError(f"it reaches for {attribute!r}")


class TooLongError(Exception):
    pass


def environment() -> Environment:
    made = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise
    made.globals["strftime_now"] = DAY.strftime
    return made


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def main() -> None:
    task = json.load(sys.stdin)
    with suppress(TemplateError):  # whatever is imported late is imported now
        ENVIRONMENT.from_string("{{ raise_exception('early') }}").render()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    signal.signal(signal.SIGALRM, _too_long)
    left = task["most_characters"]
    for messages in task["conversations"]:
        answer = _render(task["template"], messages, task["variables"], min(left, MOST_CHARACTERS))
        left -= len(answer.get("text", ""))
        print(json.dumps(answer), flush=True)
        if "error" in answer:
            return


def _render(template: str, messages: list[Any], variables: dict[str, Any], most: int) -> dict[str, str]:
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS + 1, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return {"text": _text(template, messages, variables, most)}
    except TooLongError:
        return {"error": f"it takes longer than {SECONDS} s"}
    except MemoryError:
        return {"error": "it takes too much memory"}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:300]}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _text(template: str, messages: list[Any], variables: dict[str, Any], most: int) -> str:
    compiled = ENVIRONMENT.from_string(template)
    parts, size = [], 0
    for part in compiled.generate(messages=messages, add_generation_prompt=False, **variables):
        size += len(part)
        if size > most:
            raise ValueError(f"it writes more than {most} characters")
        parts.append(part)
    return "".join(parts)


def _too_long(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TooLongError


ENVIRONMENT = environment()

if __name__ == "__main__":
    main()
