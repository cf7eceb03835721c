"""Reads of a Dockerfile what a stand-in for its image can keep: files copied, folder, environment, entry point.

RUN, FROM and the like need a container engine: they are left out, and `Recipe.notices` says so. Only the last stage
counts. Source: https://docs.docker.com/reference/dockerfile/.
"""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_HEREDOC = re.compile(r"<<-?\s*[\"']?([A-Za-z_]\w*)[\"']?")
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})")
_KEPT = frozenset({"WORKDIR", "ENV", "ARG", "ENTRYPOINT", "CMD", "COPY", "ADD"})
_LEFT_OUT = frozenset({"RUN", "USER", "SHELL", "ONBUILD", "VOLUME", "HEALTHCHECK"})
_WITHOUT_EFFECT = frozenset({"EXPOSE", "LABEL", "MAINTAINER", "STOPSIGNAL"})
IMAGE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH that ENV may build on."""


class DockerfileError(Exception):
    """The Dockerfile makes no sense; the message says where."""


@dataclass(frozen=True)
class Copy:
    """Files of the repository, by pattern, to an absolute path of the image."""

    sources: tuple[str, ...]
    target: str
    """Ends in `/` where it must be a folder."""


@dataclass
class Recipe:
    """The last stage of a Dockerfile."""

    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    """ARG defaults: known to later lines, not to the run."""


def parse(text: str) -> Recipe:
    """Raises DockerfileError."""
    recipe: Recipe | None = None
    for number, line in _instructions(text):
        word, _, rest = line.partition(" ")
        name = word.upper()
        if name not in _KEPT | _LEFT_OUT | _WITHOUT_EFFECT | {"FROM"}:
            raise DockerfileError(f"line {number}: unknown instruction {word[:40]!r}")
        if name == "FROM":
            recipe = Recipe(notices=[f"FROM {rest.strip()[:200]}: the evaluation environment stands in for it"])
        elif recipe is not None:
            try:
                _apply(recipe, name, rest.strip())
            except ValueError as e:
                raise DockerfileError(f"line {number}: {name}: {e}") from e
        elif name != "ARG":
            raise DockerfileError(f"line {number}: {name} before FROM")
    if recipe is None:
        raise DockerfileError("no FROM")
    if not recipe.entrypoint and not recipe.command:
        raise DockerfileError("neither ENTRYPOINT nor CMD")
    return recipe


def _instructions(text: str) -> list[tuple[int, str]]:
    """Logical lines with the number of their first: comments out, continuations joined, here-documents skipped."""
    found: list[tuple[int, str]] = []
    pending, first, end_words = "", 0, []  # type: ignore[var-annotated]
    for number, raw in enumerate(text.splitlines(), start=1):
        if end_words:
            end_words = end_words[1:] if raw.strip() == end_words[0] else end_words
            continue
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        first = first or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        found.append((first, pending + line))
        end_words = _HEREDOC.findall(pending + line) if line.upper().startswith(("RUN", "COPY", "ADD")) else []
        pending, first = "", 0
    if pending:
        found.append((first, pending.strip()))
    return found


def _apply(recipe: Recipe, name: str, rest: str) -> None:
    if name == "WORKDIR":
        recipe.workdir = _absolute(recipe, _substitute(recipe, rest.strip("\"'")))
    elif name == "ENV":
        recipe.environment.update(_assignments(recipe, rest))
    elif name == "ARG":
        key, _, value = rest.partition("=")
        recipe.arguments[key] = _substitute(recipe, value.strip("\"'"))
    elif name == "ENTRYPOINT":
        recipe.entrypoint, recipe.command = _exec_or_shell(rest), []
    elif name == "CMD":
        recipe.command = _exec_or_shell(rest)
    elif name in ("COPY", "ADD"):
        _copy(recipe, name, rest)
    elif name in _LEFT_OUT:
        recipe.notices.append(f"{name} {rest[:200]}: left out, there is no image to change")


def _copy(recipe: Recipe, name: str, rest: str) -> None:
    words = _words(rest)
    flags = [word for word in words if word.startswith("--")]
    paths = [_substitute(recipe, word) for word in words if not word.startswith("--")]
    if len(paths) < 2:
        raise ValueError("needs a source and a target")
    if any(flag.startswith("--from") for flag in flags) or any("://" in path or "<<" in path for path in paths[:-1]):
        recipe.notices.append(f"{name} {rest[:200]}: left out, only files of the repository are copied")
        return
    is_folder = paths[-1].endswith("/") or paths[-1] in (".", "..") or len(paths) > 2
    target = _absolute(recipe, paths[-1])
    recipe.copies.append(Copy(tuple(paths[:-1]), target.rstrip("/") + "/" if is_folder else target))


def _words(rest: str) -> list[str]:
    if rest.startswith("["):
        return _json_list(rest)
    return shlex.split(rest)


def _exec_or_shell(rest: str) -> list[str]:
    if rest.startswith("["):
        return _json_list(rest)
    return ["/bin/sh", "-c", rest] if rest else []


def _json_list(rest: str) -> list[str]:
    value = json.loads(rest)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("not a list of strings")
    return value


def _assignments(recipe: Recipe, rest: str) -> dict[str, str]:
    """`KEY=value …` or the old `KEY value`."""
    key, separator, value = rest.partition(" ")
    if "=" not in key and separator:
        return {key: _substitute(recipe, value.strip())}
    pairs = [word.partition("=") for word in shlex.split(rest)]
    if not pairs or any(not separator for _, separator, _ in pairs):
        raise ValueError("expected KEY=value")
    return {key: _substitute(recipe, value) for key, _, value in pairs}


def _substitute(recipe: Recipe, text: str) -> str:
    known = {"PATH": IMAGE_PATH} | recipe.arguments | recipe.environment

    def value(match: re.Match[str]) -> str:
        if match[0] == "\\$":
            return "$"
        found = known.get(match[1] or match[2], "")
        if match[3] == "+":
            return match[4] if found else ""
        return found or match[4] or ""

    return _VARIABLE.sub(value, text)


def _absolute(recipe: Recipe, path: str) -> str:
    """Below the root, whatever dots it has."""
    parts: list[str] = []
    for part in PurePosixPath(recipe.workdir, path).parts[1:]:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    return "/" + "/".join(parts)
