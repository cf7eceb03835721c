"""Whether it is good Python. Only `passes_tests` runs any, by `sandbox.run_program`."""


def python_parses(completions: list[str], **kwargs: object) -> list[float]:
    """1 if the text, or its one fenced block, is Python with at least one statement; else the share of lines before the
    error, halved."""
    import ast
    import re

    def score(text: str) -> float:
        blocks = re.findall(r"^```(?:python|py)?\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        source = blocks[0] if len(blocks) == 1 else text
        try:
            return float(bool(ast.parse(source).body))
        except SyntaxError as e:
            return 0.5 * max(0, (e.lineno or 1) - 1) / max(1, len(source.splitlines()))
        except (ValueError, RecursionError, MemoryError):
            return 0.0

    return [min(1.0, score(text)) for text in completions]


def documented_functions(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the functions and classes in the text (Python, perhaps fenced) that have a docstring; 0 for none."""
    import ast
    import re

    def score(text: str) -> float:
        blocks = re.findall(r"^```(?:python|py)?\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        try:
            tree = ast.parse(blocks[0] if blocks else text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return 0.0
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [node for node in ast.walk(tree) if isinstance(node, kinds)]
        return sum(bool(ast.get_docstring(node)) for node in found) / len(found) if found else 0.0

    return [score(text) for text in completions]


def annotated_arguments(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the arguments (self and cls aside) and results of all functions that have an annotation; 0 for none."""
    import ast
    import re

    def score(text: str) -> float:
        blocks = re.findall(r"^```(?:python|py)?\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        try:
            tree = ast.parse(blocks[0] if blocks else text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return 0.0
        has: list[bool] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                has.append(node.returns is not None)
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                has += [each.annotation is not None for each in arguments if each.arg not in ("self", "cls")]
        return sum(has) / len(has) if has else 0.0

    return [score(text) for text in completions]


def docstring_of_code(completions: list[str], prompts: list[str], **kwargs: object) -> list[float]:
    """How the text does as a docstring of the function in the prompt.

    Half for the share of its arguments that are named (1 if it has none), a quarter for a first line of 10 to 100
    characters that ends in a full stop, a quarter for holding no code fence and no `def`.
    """
    import re

    def score(text: str, prompt: str) -> float:
        body = text.strip()
        if not body:
            return 0.0
        signature = re.search(r"def\s+\w+\s*\(([^)]*)\)", prompt)
        parts = (signature[1] if signature else "").split(",")
        names = [re.split(r"[:=]", part)[0].strip(" *\n") for part in parts]
        names = [name for name in names if name.isidentifier() and name not in ("self", "cls")]
        named = sum(bool(re.search(rf"\b{name}\b", body)) for name in names) / len(names) if names else 1.0
        first = body.splitlines()[0].strip("\"' ")
        is_summary = 10 <= len(first) <= 100 and first.endswith(".")
        is_prose = "```" not in body and not re.search(r"^\s*def ", body, re.MULTILINE)
        return 0.5 * named + 0.25 * is_summary + 0.25 * is_prose

    return [score(text, prompt) for text, prompt in zip(completions, prompts, strict=True)]


def right_signature(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """How near the text's functions come to `signature` of the extra data, such as `def area(width, height):`.

    0.4 for one of that name, 0.6 for the share of its arguments, by name and place, of the longer list.
    """
    import ast
    import json
    import re

    def parsed(source: str) -> list[tuple[str, list[str]]]:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        return [(node.name, [each.arg for each in node.args.args]) for node in nodes]

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        signature = str(data.get("signature", "")) if isinstance(data, dict) else ""
        wanted = parsed(signature.strip().rstrip(":") + ": pass")
        blocks = re.findall(r"^```(?:python|py)?\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        found = dict(parsed(blocks[0] if blocks else text))
        if not wanted or wanted[0][0] not in found:
            return 0.0
        given, arguments = found[wanted[0][0]], wanted[0][1]
        longer = max(len(given), len(arguments))
        equal = sum(a == b for a, b in zip(given, arguments, strict=False))
        return 0.4 + 0.6 * (equal / longer if longer else 1.0)

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def passes_tests(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """Share of the `tests` of the extra data, lines of Python, that pass after the text's code, each apart.

    At most eight tests count.
    """
    import json
    import re

    from sandbox import run_program

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        tests = [str(test) for test in data.get("tests", [])][:8] if isinstance(data, dict) else []
        blocks = re.findall(r"^```(?:python|py)?\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        source = blocks[0] if blocks else text
        runs = [run_program(f"{source}\n{test}\nprint('passed')", "") for test in tests]
        passed = [run.status == "ok" and run.stdout.endswith("passed\n") for run in runs]
        return sum(passed) / len(passed) if passed else 0.0

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]
