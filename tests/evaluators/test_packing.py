from hypothesis import given
from hypothesis import strategies as st

from evaluators.packing import Pack, Sample, TokenSequence, groups, pack, shared_tokens, stream_tokens


def sequence(tokens: list[int], first: int) -> TokenSequence:
    return TokenSequence(tuple(tokens), tuple(range(max(1, first % len(tokens)), len(tokens))))


SEQUENCES = st.builds(sequence, st.lists(st.integers(1, 3), min_size=2, max_size=12), st.integers(0, 20))
SAMPLES = st.lists(st.lists(SEQUENCES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=6)


def seen_by_the_last(stream: Pack, number: int) -> list[int]:
    """Places of the stream that the last token of a span sees."""
    span = stream.spans[number]
    return [*range(*(span.stem or (0, 0))), *range(span.begin, span.end)]


@given(SAMPLES, st.sampled_from([1, 4, 8]))
def test_a_sequence_sees_its_own_tokens_alone(samples: list[Sample], tile: int) -> None:
    stream = pack(samples, range(len(samples)), tile)
    number = 0
    for sample in samples:
        for one in sample:
            if one is not sample[0] and shared_tokens(sample[0], one) == len(one.tokens):
                continue  # it has no token of its own
            places = seen_by_the_last(stream, number)
            assert [stream.tokens[place] for place in places] == list(one.tokens)
            assert [stream.positions[place] for place in places] == list(range(len(one.tokens)))
            number += 1
    assert number == len(stream.spans)
    assert len(stream.tokens) == len(stream.positions) and len(stream.tokens) % tile == 0


@given(SAMPLES)
def test_predictors_stand_before_their_targets(samples: list[Sample]) -> None:
    stream = pack(samples, range(len(samples)), 4)
    wanted = [(one, at) for sample in samples for one in sample for at in one.counted]
    for (one, at), place in zip(wanted, stream.predictors, strict=True):
        assert stream.tokens[place] == one.tokens[at - 1] and stream.positions[place] == at - 1


@given(SAMPLES, st.integers(1, 60))
def test_groups_keep_to_the_budget(samples: list[Sample], budget: int) -> None:
    found = list(groups(samples, range(len(samples)), budget))
    assert sorted(member for group in found for member in group) == list(range(len(samples)))
    sizes = [[stream_tokens(samples[member]) for member in group] for group in found]
    assert all(sum(group) <= budget or len(group) == 1 for group in sizes)
    flat = [size for group in sizes for size in group]
    assert flat == sorted(flat, reverse=True)


def test_a_prompt_is_there_once() -> None:
    chosen, rejected = TokenSequence((1, 2, 3, 4), (2, 3)), TokenSequence((1, 2, 5), (2,))
    stream = pack([(chosen, rejected)], [0], 8)
    assert stream.tokens == (1, 2, 3, 4, 5, 0, 0, 0) and stream.positions == (0, 1, 2, 3, 2, 0, 0, 0)
    assert stream.predictors == (1, 2, 1) and stream.spans[1].stem == (0, 2)
    assert stream_tokens((chosen, rejected)) == 5
