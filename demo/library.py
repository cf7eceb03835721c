"""Text of the running Python's standard library, read with `ast`: the demo needs no hub and ships no data.

The text stays under the Python Software Foundation's licence and never leaves this machine; every piece names the
module that it is from.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_LIBRARY = {"test", "tests", "idle_test", "turtledemo", "encodings", "pydoc_data", "lib2to3"}
"""Parts of module names that hold tests, toys and tables."""


@dataclass(frozen=True)
class Function:
    """One function, as `ast.unparse` writes it: one style, one line for the signature, no comments."""

    module: str
    signature: str
    body: str
    """Without its docstring, indented."""
    docstring: str
    """First paragraph on one line; empty where there is none."""

    @property
    def source(self) -> str:
        return f"{self.signature}\n{self.body}"


@dataclass(frozen=True)
class Module:
    name: str
    prose: tuple[str, ...]
    """Docstrings of the module and its classes, cleaned of indentation."""
    functions: tuple[Function, ...]
    """In the order of their lines; functions inside functions only as part of these."""


def modules() -> Iterator[Module]:
    """Every module of the library that is here in source, in the order of their names."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for name in sorted(sys.stdlib_module_names):
        for path in [root / f"{name}.py", *sorted((root / name).rglob("*.py"))]:
            parts = path.relative_to(root).with_suffix("").parts
            if path.is_file() and not NOT_LIBRARY.intersection(parts):
                yield _module(".".join(parts).removesuffix(".__init__"), path)


def _module(name: str, path: Path) -> Module:
    tree = ast.parse(path.read_bytes())
    functions = tuple(_function(name, node) for node in _definitions(tree.body))
    prose = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef)]
    return Module(name, tuple(text for text in prose if text), functions)


def _definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node.body)


def _function(module: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    docstring = ast.get_docstring(node) or ""
    node.decorator_list = []
    node.body = (node.body[1:] if docstring else node.body) or [ast.Pass()]
    signature, _, body = ast.unparse(node).partition("\n")
    return Function(module, signature, body, " ".join(docstring.split("\n\n")[0].split()))
