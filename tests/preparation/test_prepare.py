"""From sources to train and test: the rules' numbers, and that everything is accounted for."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.challenge import ChallengeKind
from core.value import canonical_json, sha256_hex
from preparation.cleaning import texts_of
from preparation.duplicates import form_of, shingles
from preparation.prepare import NEAR_DUPLICATE, parts_of, prepare
from tests.preparation.rows import RULES, dataset, prepared, source, sources

INSTRUCT, DPO = ChallengeKind.INSTRUCT, ChallengeKind.DPO
TEXT_KINDS = [INSTRUCT, ChallengeKind.CHAT, DPO, ChallengeKind.GRPO]


@pytest.mark.parametrize(("rows", "hidden"), [(2000, 200), (2009, 200), (5000, 400)])
def test_a_tenth_is_hidden_and_never_more_than_400(rows: int, hidden: int) -> None:
    made = prepare(dataset(), [sources(INSTRUCT, rows)], "5e", RULES)
    assert (len(made.test), len(made.train)) == (hidden, rows - hidden)


@pytest.mark.parametrize("rows", [2, 1999])
def test_too_few_rows_are_an_error_that_says_what_was_dropped(rows: int) -> None:
    given_rows = [*sources(INSTRUCT, rows), source(INSTRUCT, 0, answer="")]
    with pytest.raises(ValueError, match=rf"has {rows} usable rows of {rows + 1}; the rules ask for 2000.*1 no output"):
        prepare(dataset(), [given_rows], "5e", RULES)


def test_an_empty_dataset_is_an_error() -> None:
    with pytest.raises(ValueError, match="has no column"):
        prepare(dataset(), [[]], "5e", RULES)


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_kind_is_prepared(kind: ChallengeKind) -> None:
    made = prepared(sources(kind, 40), kind)
    assert (len(made.train), len(made.test)) == (36, 4)


def test_the_split_of_an_instruct_challenge_is_what_it_always_was() -> None:
    """The bytes that challenges were made of before there were other kinds."""
    rows = [{"task": "Say", "source": f"n{i}", "answer": str(i)} for i in range(100)]
    made = prepared(rows)
    assert sha256_hex(canonical_json(made.test)) == "7d8a4fb32959b2e4002b6cdbfd5b0b9118c4703d6eb04979321bd01b865b046f"
    assert sha256_hex(canonical_json(made.train)) == "8ee28b3313a22fbd1ca62b380880dfaf8b4b58e9b68e25da3b28639f4d1c4325"


def test_another_seed_hides_other_rows() -> None:
    rows = sources(INSTRUCT, 2000)
    assert prepare(dataset(), [rows], "5e", RULES).test != prepare(dataset(), [rows], "5f", RULES).test


# Mixes


def mix(*sizes: int) -> tuple[Any, list[list[dict[str, Any]]]]:
    parts = [dataset(dataset_id=f"part-{place}") for place, _ in enumerate(sizes)]
    starts = [sum(sizes[:place]) for place, _ in enumerate(sizes)]
    return (
        dataset(dataset_id="mix", columns={}, parts=parts),
        [sources(INSTRUCT, size, start) for size, start in zip(sizes, starts, strict=True)],
    )


@pytest.mark.parametrize(
    ("sizes", "left_out"), [((30, 30), 0), ((50, 20), 30), ((90, 30, 20), 40), ((50, 30, 20), 0), ((40,), 0)]
)
def test_no_dataset_is_more_than_half_of_a_mix(sizes: tuple[int, ...], left_out: int) -> None:
    mixed, given_sources = mix(*sizes)
    made = prepare(mixed, given_sources, "5e", RULES.__class__(10, RULES.test_share, 400))
    assert made.tally.rows == ({"more than half of the mix": left_out} if left_out else {})
    assert len(made.train) + len(made.test) == sum(sizes) - left_out
    assert made.source_rows == {f"part-{place}": size for place, size in enumerate(sizes)}


def test_a_row_that_two_datasets_have_counts_once() -> None:
    mixed, (first, second) = mix(20, 20)
    made = prepare(mixed, [first, second + first[:5]], "5e", RULES.__class__(10, RULES.test_share, 400))
    assert made.tally.rows == {"repeated": 5} and made.tally.examples == {"repeated": "part-1, row 21"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([dataset(dataset_id="a"), dataset(DPO, dataset_id="b")], "b is of DpoTask: take it out"),
        ([dataset(dataset_id="a"), dataset(dataset_id="b", parts=[dataset()])], "b is a mix itself"),
        ([dataset(dataset_id="a"), dataset(dataset_id="a")], "names a dataset twice"),
    ],
)
def test_a_mix_of_unlike_parts_is_named(parts: Sequence[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parts_of(dataset(dataset_id="mix", columns={}, parts=parts))


# Properties

WORDS = st.sampled_from(["red", "green", "blue", "round", "square", "big", "small", "one", "two", "three"])
TEXTS = st.lists(WORDS, min_size=0, max_size=14).map(" ".join)
SOURCES = st.lists(
    st.fixed_dictionaries({"task": st.just("Say it."), "source": TEXTS, "answer": TEXTS}), min_size=6, max_size=60
)


@given(SOURCES, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_the_source_changes_nothing(rows: list[dict[str, str]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    try:
        made = prepared(rows)
    except ValueError:
        with pytest.raises(ValueError):
            prepared(shuffled)
        return
    again = prepared(shuffled)
    assert (again.train, again.test, again.tally.rows) == (made.train, made.test, made.tally.rows)


@given(SOURCES)
@settings(max_examples=60)
def test_every_row_is_in_train_or_test_or_dropped_and_none_is_near_a_test_row(rows: list[dict[str, str]]) -> None:
    try:
        made = prepared(rows, test_share=RULES.test_share * 3)
    except ValueError:
        return
    assert len(rows) == len(made.train) + len(made.test) + made.tally.total
    tests = [shingles(row) for row in made.test]
    form = form_of(tests)
    for row in made.train:
        assert not any(_share(shingles(row) - form, test - form) >= 0.8 for test in tests), list(texts_of(row))


def _share(a: set[Any], b: set[Any]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def test_near_duplicates_of_test_rows_leave_train_and_are_counted() -> None:
    rows = sources(DPO, 100)
    copies = [row | {"good": row["good"].upper(), "bad": row["bad"] + "!"} for row in rows]
    made = prepared(rows + copies, DPO)
    hidden = {row["prompt"] for row in made.test}
    assert not hidden & {row["prompt"] for row in made.train}
    assert 15 <= made.tally.rows[NEAR_DUPLICATE] <= 20 and len(made.test) == 20
