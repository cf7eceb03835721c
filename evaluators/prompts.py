"""Rows of a GRPO test set as prompts, and how the base writes. The rules are in docs/measurement.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.challenge import GrpoDataset
from core.value import canonical_json, sha256_hex
from evaluators.instruct import encode, left_cut, special_tokens
from evaluators.loading import Base, load_tokenizer
from evaluators.rewards.validation import extra_of
from evaluators.rows import Row, RowError, require_columns, text_of

MOST_PROMPT, MOST_NEW = 512, 256
"""Tokens."""


@dataclass(frozen=True)
class Prompt:
    """A row, ready for the model."""

    text: str
    tokens: tuple[int, ...]
    extra: Any
    """What the reward functions get as `extra_data`."""
    row_sha256: str

    @property
    def sha256(self) -> str:
        """What its random numbers are drawn by."""
        return sha256_hex(self.text.encode())


@dataclass(frozen=True)
class Voice:
    """What the base says about texts: how they are cut, how they end, how they are written."""

    tokenizer: Any
    ends: frozenset[int]
    """Tokens that end a text."""
    most_prompt: int
    most_new: int

    def text(self, tokens: Sequence[int]) -> str:
        written: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return written


def voice_of(base: Base, max_tokens: int) -> Voice:
    tokenizer = load_tokenizer(base)
    length = base.length(max_tokens)
    most_new = min(MOST_NEW, max(1, length // 2))
    declared = base.config.get_text_config().eos_token_id
    ends = {tokenizer.eos_token_id, *(declared if isinstance(declared, list) else [declared])} - {None}
    return Voice(tokenizer, frozenset(ends), min(MOST_PROMPT, length - most_new), most_new)


def prompts(rows: Sequence[Row], dataset: GrpoDataset, voice: Voice) -> Iterator[Prompt]:
    """One for every row, in order. Raises RowError for a row without a prompt."""
    require_columns(rows, [dataset.field_prompt])
    bos, _ = special_tokens(voice.tokenizer)
    for number, row in enumerate(rows):
        text = text_of(row, dataset.field_prompt, number)
        if not text:
            raise RowError(number, "it has no prompt: prepare the challenge again")
        tokens = bos + left_cut(encode(voice.tokenizer, text), voice.most_prompt - len(bos))
        yield Prompt(text, tuple(tokens), extra_of(row, dataset), sha256_hex(canonical_json(row)))
