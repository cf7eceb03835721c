"""The program-abduction family: SAT, ABD and DED. Each scores 0 on rows of another `task_type`."""


def affine_sat(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """SAT: satisfied clauses over clauses of `cls`, by the text's `xN = True/False/1/0` (the last of an N counts).

    A clause is a list of integers, N for xN and -N for its contrary; a variable without a value satisfies none.
    """
    import json
    import re

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or data.get("task_type") != "SAT" or not data.get("cls"):
            return 0.0
        said = re.findall(r"\bx(\d{1,6})\s*=\s*(True|False|1|0)\b", text, re.IGNORECASE)
        values = {int(number): value.lower() in ("true", "1") for number, value in said}
        satisfied = [any(values.get(abs(each)) == (each > 0) for each in clause) for clause in data["cls"]]
        return sum(satisfied) / len(satisfied)

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def affine_abd(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """ABD: find the input for which `program` prints `expected_output`; the last `<INPUT>…</INPUT>` counts.

    What stands in think tags does not count. No tag 0, a broken one 0.1, the program fails on it 0.2, prints nothing
    0.3; else 0.3 + 0.6 × share of equal characters (place by place, of the longer text), at most 0.95; equal 1. Space
    at the edges is no difference.
    """
    import json
    import re

    from sandbox import run_program

    def likeness(a: str, b: str) -> float:
        return sum(x == y for x, y in zip(a, b, strict=False)) / max(len(a), len(b))

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or data.get("task_type") != "ABD":
            return 0.0
        said = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).rpartition("</think>")[2]
        found = re.findall(r"<INPUT>(.*?)</INPUT>", said, re.DOTALL)
        if not found:
            return 0.1 if "<INPUT>" in said or "</INPUT>" in said else 0.0
        run = run_program(str(data.get("program", "")), found[-1].strip("\n"))
        if run.status != "ok":
            return 0.2
        given, wanted = run.stdout.strip(), str(data.get("expected_output", "")).strip()
        if not given:
            return 0.3
        return 1.0 if given == wanted else min(0.3 + 0.6 * likeness(given, wanted), 0.95)

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def affine_ded(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """DED: a program that prints what `solution` prints on the first of `premises`; the last fenced block counts.

    No block 0 (0.1 if the text looks like code), no Python 0.2, no premises 0.3, `solution` fails 0.35, the program
    fails 0.4, prints something else 0.5, its output holds the right one or lies in it 0.8, equal 1. Space at the edges
    is no difference.
    """
    import ast
    import json
    import re

    from sandbox import run_program

    def compare(given: str, wanted: str) -> float:
        if given == wanted:
            return 1.0
        return 0.8 if given and wanted and (given in wanted or wanted in given) else 0.5

    def is_python(source: str) -> bool:
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or data.get("task_type") != "DED":
            return 0.0
        said = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).rpartition("</think>")[2]
        blocks = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)```", said, re.DOTALL)
        if not blocks:
            return 0.1 if re.search(r"^\s*(def |import |from \w+ import |print\()", said, re.MULTILINE) else 0.0
        if not is_python(blocks[-1]):
            return 0.2
        if not data.get("premises"):
            return 0.3
        wanted = run_program(str(data.get("solution", "")), str(data["premises"][0]))
        if wanted.status != "ok":
            return 0.35
        given = run_program(blocks[-1], str(data["premises"][0]))
        return compare(given.stdout.strip(), wanted.stdout.strip()) if given.status == "ok" else 0.4

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]
