"""Samples as token sequences, and several of them laid out in one stream of tokens.

A stream is not a padded batch: every token is there once, and no sequence sees another. Its length is filled up to
whole tiles, so that no kernel's shape depends on what else is in the stream.

Sequences of one sample that begin alike, as the two answers to one prompt do, share those tokens in the stream.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TokenSequence:
    """What the model reads, and which of its tokens are measured."""

    tokens: tuple[int, ...]
    counted: tuple[int, ...]
    """Their positions, ascending; never 0, which nothing predicts."""

    @property
    def targets(self) -> tuple[int, ...]:
        return tuple(self.tokens[position] for position in self.counted)


Sample = tuple[TokenSequence, ...]
"""One row: a sequence, or two for a preference pair."""


@dataclass(frozen=True)
class Span:
    """Where one sequence stands in the stream: its own tokens, and the shared ones before them."""

    begin: int
    end: int
    stem: tuple[int, int] | None = None


@dataclass(frozen=True)
class Pack:
    """A stream of whole tiles, ready for the model."""

    members: tuple[int, ...]
    """Numbers of the samples in it."""
    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    spans: tuple[Span, ...]
    predictors: tuple[int, ...]
    """Where in the stream the tokens before the counted ones stand, by sample, sequence and position."""


class _Stream:
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.spans: list[Span] = []
        self.predictors: list[int] = []

    def add(self, sample: Sample) -> None:
        first, begin = sample[0], len(self.tokens)
        for sequence in sample:
            shared = 0 if sequence is first else shared_tokens(first, sequence)
            at = len(self.tokens)
            self.tokens += sequence.tokens[shared:]
            self.positions += range(shared, len(sequence.tokens))
            if at < len(self.tokens):
                self.spans.append(Span(at, len(self.tokens), (begin, begin + shared) if shared else None))
            before = (position - 1 for position in sequence.counted)
            self.predictors += (begin + p if p < shared else at + p - shared for p in before)

    def fill(self, tile: int) -> None:
        missing = -len(self.tokens) % tile
        self.tokens += [0] * missing
        self.positions += [0] * missing


def shared_tokens(one: TokenSequence, other: TokenSequence) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one.tokens, other.tokens, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one.tokens), len(other.tokens)))


def stream_tokens(sample: Sample) -> int:
    """How many tokens the sample takes in a stream."""
    return sum(len(other.tokens) - shared_tokens(sample[0], other) for other in sample[1:]) + len(sample[0].tokens)


def pack(samples: Sequence[Sample], members: Sequence[int], tile: int) -> Pack:
    stream = _Stream()
    for member in members:
        stream.add(samples[member])
    stream.fill(tile)
    return Pack(
        members=tuple(members),
        tokens=tuple(stream.tokens),
        positions=tuple(stream.positions),
        spans=tuple(stream.spans),
        predictors=tuple(stream.predictors),
    )


def groups(samples: Sequence[Sample], members: Iterable[int], budget: int) -> Iterator[list[int]]:
    """The members in groups of at most `budget` tokens, longest first; a longer sample is a group of its own."""
    sizes = {member: stream_tokens(samples[member]) for member in members}
    group: list[int] = []
    room = budget
    for member in sorted(sizes, key=lambda member: (-sizes[member], member)):
        if group and sizes[member] > room:
            yield group
            group, room = [], budget
        group.append(member)
        room -= sizes[member]
    if group:
        yield group
