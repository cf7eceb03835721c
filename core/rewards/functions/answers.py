"""Whether it is right."""


def correct_arithmetic(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the sums written out (`12 + 7 = 19`, also - * / ×) that are right; 0 where there is none."""
    import re
    from fractions import Fraction

    number = r"(-?\d{1,15}(?:\.\d{1,15})?)"
    pattern = re.compile(rf"(?<![\d.+*/×-]){number}\s*([-+*/×])\s*{number}\s*=\s*{number}(?![\d])")

    def is_right(left: str, sign: str, right: str, result: str) -> bool:
        a, b, c = Fraction(left), Fraction(right), Fraction(result)
        if sign == "/":
            return b != 0 and abs(a / b - c) <= Fraction(1, 2) / 10 ** len(result.partition(".")[2])
        return {"+": a + b, "-": a - b}.get(sign, a * b) == c

    def score(text: str) -> float:
        sums = pattern.findall(text)
        return sum(is_right(*each) for each in sums) / len(sums) if sums else 0.0

    return [score(text) for text in completions]


def exact_answer(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """1 if the answer is `answer` of the extra data, case and space at its edges aside.

    The answer is what stands in the last `<answer>` tag, or the whole text where there is none.
    """
    import json
    import re

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or "answer" not in data:
            return 0.0
        tagged = re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)
        given = tagged[-1] if tagged else text
        return float(given.strip().lower() == str(data["answer"]).strip().lower())

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def final_number(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """1 if the last number of the text is `answer` of the extra data, 0.25 if that number is anywhere in it."""
    import json
    import re
    from fractions import Fraction

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or "answer" not in data:
            return 0.0
        wanted = re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", str(data["answer"]).replace(",", "").strip())
        plain = re.sub(r"(?<=\d),(?=\d{3})", "", text)
        numbers = [Fraction(each) for each in re.findall(r"-?\d{1,30}(?:\.\d{1,30})?", plain)]
        if not wanted or Fraction(wanted[0]) not in numbers:
            return 0.0
        return 1.0 if numbers[-1] == Fraction(wanted[0]) else 0.25

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def matches_pattern(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """1 if the whole text, edges stripped, matches `pattern` of the extra data; 0.5 if a part of it does."""
    import json
    import re

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        if not isinstance(data, dict) or not isinstance(data.get("pattern"), str):
            return 0.0
        if re.fullmatch(data["pattern"], text.strip(), re.DOTALL):
            return 1.0
        return 0.5 * bool(re.search(data["pattern"], text))

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def covers_keywords(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """Share of the `keywords` of the extra data that the text has as whole words, case aside."""
    import json
    import re

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        wanted = data.get("keywords", []) if isinstance(data, dict) else []
        found = [re.search(rf"(?<!\w){re.escape(str(word))}(?!\w)", text, re.IGNORECASE) for word in wanted]
        return sum(map(bool, found)) / len(found) if found else 0.0

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def chosen_option(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """1 if the last single capital letter A to H that stands alone is `answer` of the extra data."""
    import json
    import re

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        letters = re.findall(r"(?<![\w'])[A-H](?![\w'])", text)
        return float(bool(letters) and isinstance(data, dict) and letters[-1] == data.get("answer"))

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]


def json_fields(completions: list[str], extra_data: list[object], **kwargs: object) -> list[float]:
    """Share of the fields of `fields` of the extra data that the text, a JSON object, has with equal values."""
    import json

    def score(text: str, extra: object) -> float:
        data = json.loads(extra) if isinstance(extra, str) else extra
        wanted = data.get("fields") if isinstance(data, dict) else None
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            return 0.0
        if not isinstance(wanted, dict) or not wanted or not isinstance(given, dict):
            return 0.0
        equal = [name in given and given[name] == value for name, value in wanted.items()]
        return sum(map(bool, equal)) / len(equal)

    return [score(text, extra) for text, extra in zip(completions, extra_data, strict=True)]
