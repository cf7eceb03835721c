"""What shape the answer has."""


def think_answer_tags(completions: list[str], **kwargs: object) -> list[float]:
    """1 for `<think>…</think>` and then `<answer>…</answer>` and nothing else; a quarter for each tag there once."""
    import re

    whole = re.compile(r"\s*<think>.+?</think>\s*<answer>.+?</answer>\s*", re.DOTALL)
    tags = ("<think>", "</think>", "<answer>", "</answer>")

    def score(text: str) -> float:
        once = [text.count(tag) == 1 for tag in tags]
        return 1.0 if all(once) and whole.fullmatch(text) else 0.25 * min(sum(once), 3)

    return [score(text) for text in completions]


def valid_json(completions: list[str], **kwargs: object) -> list[float]:
    """1 for a JSON object or list, 0.5 for other JSON, 0 for none. A fence around it is no harm."""
    import json
    import re

    def score(text: str) -> float:
        fenced = re.fullmatch(r"\s*```(?:json)?\n(.*)\n```\s*", text, re.DOTALL)
        try:
            value = json.loads(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            return 0.0
        return 1.0 if isinstance(value, dict | list) else 0.5

    return [score(text) for text in completions]


def bulleted_list(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the lines with anything on them that begin with a bullet (-, * or •); 0 for fewer than two bullets."""
    import re

    def score(text: str) -> float:
        lines = [line for line in text.splitlines() if line.strip()]
        bullets = sum(bool(re.match(r"\s*[-*•]\s+\S", line)) for line in lines)
        return bullets / len(lines) if bullets >= 2 else 0.0

    return [score(text) for text in completions]


def numbered_steps(completions: list[str], **kwargs: object) -> list[float]:
    """A third for each line numbered in order from `1.` on, at most 1."""
    import re

    def score(text: str) -> float:
        numbers = [int(found) for found in re.findall(r"^\s*(\d{1,4})[.)]\s+\S", text, re.MULTILINE)]
        steps = 0
        for number in numbers:
            steps += number == steps + 1
        return min(1.0, steps / 3)

    return [score(text) for text in completions]


def one_fenced_block(completions: list[str], **kwargs: object) -> list[float]:
    """1 for one fenced block with something in it, 0.5 for several, 0 for none or an open one."""
    import re

    def score(text: str) -> float:
        blocks = re.findall(r"^```[^\n`]*\n(.*?)^```\s*$", text, re.DOTALL | re.MULTILINE)
        filled = [block for block in blocks if block.strip()]
        if not filled or text.count("```") % 2:
            return 0.0
        return 1.0 if len(blocks) == 1 else 0.5

    return [score(text) for text in completions]


def whole_sentences(completions: list[str], **kwargs: object) -> list[float]:
    """Half for beginning with a capital letter or a digit, half for ending with . ! or ?"""

    def score(text: str) -> float:
        text = text.strip()
        if not text:
            return 0.0
        return 0.5 * (text[0].isupper() or text[0].isdigit()) + 0.5 * (text[-1] in ".!?")

    return [score(text) for text in completions]


def balanced_brackets(completions: list[str], **kwargs: object) -> list[float]:
    """1 if every bracket is closed by its like, in order; else the share of brackets that are; 0 for an empty text."""

    def score(text: str) -> float:
        pairs = {")": "(", "]": "[", "}": "{"}
        open_ones: list[str] = []
        matched, total = 0, 0
        for sign in text:
            if sign in "([{":
                open_ones.append(sign)
                total += 1
            elif sign in pairs:
                total += 1
                if open_ones and open_ones[-1] == pairs[sign]:
                    open_ones.pop()
                    matched += 2
        return (matched / total if total else 1.0) if text.strip() else 0.0

    return [score(text) for text in completions]


def no_markup(completions: list[str], **kwargs: object) -> list[float]:
    """1 without HTML tags, headings, bold, links and fences; a quarter less for each of the five; 0 for nothing."""
    import re

    kinds = (r"</?[a-zA-Z][^>]*>", r"^#{1,6} ", r"\*\*|__", r"\]\(", r"```")

    def score(text: str) -> float:
        used = sum(bool(re.search(kind, text, re.MULTILINE)) for kind in kinds)
        return max(0.0, 1 - used / 4) if text.strip() else 0.0

    return [score(text) for text in completions]


def boxed_answer(completions: list[str], **kwargs: object) -> list[float]:
    r"""1 for one `\boxed{…}` with something in it, 0.5 for several, 0 for none."""
    import re

    counts = [len(re.findall(r"\\boxed\{[^{}]*[^{}\s][^{}]*\}", text)) for text in completions]
    return [{0: 0.0, 1: 1.0}.get(count, 0.5) for count in counts]


def mostly_letters(completions: list[str], **kwargs: object) -> list[float]:
    """Share of letters, digits, spaces and common marks among the characters."""
    marks = set(".,;:!?'\"()-\n")

    def score(text: str) -> float:
        good = sum(sign.isalnum() or sign.isspace() or sign in marks for sign in text)
        return good / len(text) if text.strip() else 0.0

    return [score(text) for text in completions]
