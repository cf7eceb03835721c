"""A planted error: some text of the rules, what stands there instead, and the tests that must notice."""

from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    """What is wrong with it."""
    file: str
    old: str
    """Occurs exactly once in the file."""
    new: str
    tests: tuple[str, ...]
    """Files that should catch it, the likeliest first."""


def planted(file: str, tests: str, *errors: tuple[str, str, str]) -> tuple[Mutation, ...]:
    """Errors in one file of `tournament/`, which the same test files of `tests/tournament/` should catch."""
    paths = tuple(f"tests/tournament/{test}.py" for test in tests.split())
    return tuple(Mutation(name, f"tournament/{file}", old, new, paths) for name, old, new in errors)
