"""Which words were chosen."""


def varied_words(completions: list[str], **kwargs: object) -> list[float]:
    """Different words over words, case and edges aside; 0 for no words."""
    found = [[word.strip(".,;:!?\"'()").lower() for word in text.split()] for text in completions]
    return [len(set(words)) / len(words) if words else 0.0 for words in found]


def repeated_words(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the words that were there before; 0 for no words."""
    found = [[word.strip(".,;:!?\"'()").lower() for word in text.split()] for text in completions]
    return [1 - len(set(words)) / len(words) if words else 0.0 for words in found]


def no_repeated_phrases(completions: list[str], **kwargs: object) -> list[float]:
    """Different runs of three words over all of them; 1 for one or two words, 0 for none."""

    def score(text: str) -> float:
        words = text.lower().split()
        runs = list(zip(words, words[1:], words[2:]))  # noqa: B905
        if not runs:
            return float(bool(words))
        return len(set(runs)) / len(runs)

    return [score(text) for text in completions]


def reasoning_words(completions: list[str], **kwargs: object) -> list[float]:
    """A fifth for each different word of reasoning (because, therefore, however, ...), at most 1."""
    import re

    wanted = {"because", "therefore", "thus", "hence", "since", "so", "however", "although", "first", "second"}
    wanted |= {"then", "finally", "if", "unless", "consequently"}
    found = [wanted & set(re.findall(r"[a-z]+", text.lower())) for text in completions]
    return [min(1.0, len(words) / 5) for words in found]


def plain_words(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the words with at most six letters."""
    import re

    found = [re.findall(r"[^\W\d_]+", text) for text in completions]
    return [sum(len(word) <= 6 for word in words) / len(words) if words else 0.0 for words in found]


def long_words(completions: list[str], **kwargs: object) -> list[float]:
    """Share of the words with at least seven letters, three times, at most 1."""
    import re

    found = [re.findall(r"[^\W\d_]+", text) for text in completions]
    return [min(1.0, 3 * sum(len(word) > 6 for word in words) / len(words)) if words else 0.0 for words in found]


def no_filler(completions: list[str], **kwargs: object) -> list[float]:
    """1 less ten times the share of filler words (very, really, just, ...); 0 for no words."""
    import re

    filler = {"very", "really", "just", "quite", "basically", "actually", "literally", "simply", "somewhat", "rather"}

    def score(text: str) -> float:
        words = re.findall(r"[a-z']+", text.lower())
        return max(0.0, 1 - 10 * sum(word in filler for word in words) / len(words)) if words else 0.0

    return [score(text) for text in completions]


def own_words(completions: list[str], prompts: list[str], **kwargs: object) -> list[float]:
    """Share of the different words that the prompt does not have; 0 for no words."""
    import re

    def score(text: str, prompt: str) -> float:
        words = set(re.findall(r"\w+", text.lower()))
        return len(words - set(re.findall(r"\w+", prompt.lower()))) / len(words) if words else 0.0

    return [score(text, prompt) for text, prompt in zip(completions, prompts, strict=True)]


def on_topic(completions: list[str], prompts: list[str], **kwargs: object) -> list[float]:
    """Share of the prompt's different words of four letters and more that the answer takes up; 1 if it has none."""
    import re

    def score(text: str, prompt: str) -> float:
        wanted = set(re.findall(r"\w{4,}", prompt.lower()))
        return len(wanted & set(re.findall(r"\w+", text.lower()))) / len(wanted) if wanted else 1.0

    return [score(text, prompt) for text, prompt in zip(completions, prompts, strict=True)]
