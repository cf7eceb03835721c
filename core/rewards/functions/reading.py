"""How hard it is to read. Syllables are counted as groups of vowels, less a silent e at the end, at least one a word.

Formulas: Flesch (1948), "A new readability yardstick"; Kincaid et al. (1975), the grade level of the same counts.
"""


def reading_ease(completions: list[str], **kwargs: object) -> list[float]:
    """Flesch's reading ease, 206.835 - 1.015 words/sentence - 84.6 syllables/word, over 100, within [0, 1]."""
    import re

    def score(text: str) -> float:
        words = re.findall(r"[a-z]+", text.lower())
        if not words:
            return 0.0
        sentences = max(1, len(re.findall(r"[.!?]+(?=\s|$)", text)))
        syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<![aeiouyl])e$", "", word)))) for word in words)
        ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
        return min(max(ease / 100, 0.0), 1.0)

    return [score(text) for text in completions]


def demanding_text(completions: list[str], **kwargs: object) -> list[float]:
    """1 less Flesch's reading ease over 100, within [0, 1]; 0 for no words."""
    import re

    def score(text: str) -> float:
        words = re.findall(r"[a-z]+", text.lower())
        if not words:
            return 0.0
        sentences = max(1, len(re.findall(r"[.!?]+(?=\s|$)", text)))
        syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<![aeiouyl])e$", "", word)))) for word in words)
        ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
        return min(max(1 - ease / 100, 0.0), 1.0)

    return [score(text) for text in completions]


def grade_near_12(completions: list[str], **kwargs: object) -> list[float]:
    """1 at the Flesch-Kincaid grade 12 (0.39 words/sentence + 11.8 syllables/word - 15.59), a tenth less per grade."""
    import re

    def score(text: str) -> float:
        words = re.findall(r"[a-z]+", text.lower())
        if not words:
            return 0.0
        sentences = max(1, len(re.findall(r"[.!?]+(?=\s|$)", text)))
        syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<![aeiouyl])e$", "", word)))) for word in words)
        grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59
        return 1 - min(abs(grade - 12) / 10, 1.0)

    return [score(text) for text in completions]


def few_syllables(completions: list[str], **kwargs: object) -> list[float]:
    """1 where words have one syllable on average, 0 from three on; 0 for no words."""
    import re

    def score(text: str) -> float:
        words = re.findall(r"[a-z]+", text.lower())
        if not words:
            return 0.0
        syllables = sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<![aeiouyl])e$", "", word)))) for word in words)
        return max(0.0, 1 - (syllables / len(words) - 1) / 2)

    return [score(text) for text in completions]
