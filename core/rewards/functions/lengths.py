"""How much was written."""


def near_100_characters(completions: list[str], **kwargs: object) -> list[float]:
    """1 at 100 characters, less by a hundredth for each character more or fewer, 0 from 200 on."""
    return [max(0.0, 1 - abs(len(text) - 100) / 100) for text in completions]


def near_30_words(completions: list[str], **kwargs: object) -> list[float]:
    """1 at 30 words, less by a thirtieth for each word more or fewer, 0 from 60 on."""
    return [max(0.0, 1 - abs(len(text.split()) - 30) / 30) for text in completions]


def short_answer(completions: list[str], **kwargs: object) -> list[float]:
    """1 up to 200 characters, then 200 over the length; 0 for nothing at all."""
    return [min(1.0, 200 / len(text)) if text.strip() else 0.0 for text in completions]


def long_answer(completions: list[str], **kwargs: object) -> list[float]:
    """Words over 150, at most 1."""
    return [min(1.0, len(text.split()) / 150) for text in completions]


def three_sentences(completions: list[str], **kwargs: object) -> list[float]:
    """1 at three sentences, a third less for each more or fewer. One ends in . ! or ? before a space or the end."""
    import re

    counts = [len(re.findall(r"[.!?]+(?=\s|$)", text)) for text in completions]
    return [max(0.0, 1 - abs(count - 3) / 3) for count in counts]


def sentences_of_15_words(completions: list[str], **kwargs: object) -> list[float]:
    """1 where sentences have 15 words on average, less by a fifteenth for each word more or fewer."""
    import re

    def score(text: str) -> float:
        sentences = [part for part in re.split(r"[.!?]+(?:\s|$)", text) if part.split()]
        if not sentences:
            return 0.0
        average = len(text.split()) / len(sentences)
        return max(0.0, 1 - abs(average - 15) / 15)

    return [score(text) for text in completions]


def lines_within_80(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the lines with anything on them that have at most 80 characters."""

    def score(text: str) -> float:
        lines = [line for line in text.splitlines() if line.strip()]
        return sum(len(line) <= 80 for line in lines) / len(lines) if lines else 0.0

    return [score(text) for text in completions]
