"""From the rows of the sources to train and test, everything accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.challenge import DatasetInfo
from preparation.cleaning import Numbered, Row, clean_rows
from preparation.duplicates import near_duplicates
from preparation.mixing import drawn_order, mix
from preparation.tally import Tally

NEAR_DUPLICATE = "near-duplicate of a test row"


@dataclass(frozen=True)
class Bounds:
    """What the rules ask of a challenge's rows."""

    minimum_rows: int
    """Of train and test together."""
    test_share: Decimal
    test_most: int

    def test_rows(self, rows: int) -> int:
        return min(int(rows * self.test_share), self.test_most)


@dataclass(frozen=True)
class Prepared:
    train: list[Row]
    test: list[Row]
    source_rows: dict[str, int]
    tally: Tally


def parts_of(dataset: DatasetInfo) -> tuple[DatasetInfo, ...]:
    """The datasets that rows come from, sorted by id.

    Raises ValueError for a mix of mixes, of several kinds, or of one dataset twice.
    """
    parts = sorted(dataset.parts or (dataset,), key=lambda part: part.dataset_id)
    for part in parts:
        if part.kind is not dataset.kind or (dataset.parts and part.parts):
            raise ValueError(
                f"the mix {dataset.dataset_id} is of {dataset.kind}; {part.dataset_id} is "
                f"{'a mix itself' if part.parts else f'of {part.kind}'}: take it out of the mix"
            )
    if len({part.dataset_id for part in parts}) < len(parts):
        raise ValueError(f"the mix {dataset.dataset_id} names a dataset twice: take it out once")
    return tuple(parts)


def prepare(
    dataset: DatasetInfo, sources: Sequence[Sequence[Mapping[str, Any]]], seed: str, bounds: Bounds
) -> Prepared:
    """Clean, mix, split by the seed, and take near-duplicates of test rows out of train.

    The order of a source's rows changes nothing but the examples of the tally.

    Args:
        sources: rows of `parts_of(dataset)`, in its order.

    Raises ValueError, naming the dataset and what to do, when it does not serve.
    """
    parts, tally = parts_of(dataset), Tally()
    seen: set[str] = set()
    cleaned = [clean_rows(source, part, tally, seen) for part, source in zip(parts, sources, strict=True)]
    drawn = drawn_order(mix(cleaned, seed, tally), seed)
    total = sum(map(len, sources))
    _require(len(drawn), dataset, tally, total, bounds)
    hidden = bounds.test_rows(len(drawn))
    test, train = drawn[:hidden], without_near_duplicates(drawn[hidden:], drawn[:hidden], tally)
    _require(len(train) + len(test), dataset, tally, total, bounds)
    return Prepared(
        train=[item.row for item in train],
        test=[item.row for item in test],
        source_rows={part.dataset_id: len(source) for part, source in zip(parts, sources, strict=True)},
        tally=tally,
    )


def without_near_duplicates(train: Sequence[Numbered], test: Sequence[Numbered], tally: Tally) -> list[Numbered]:
    near = set(near_duplicates((item.row for item in train), [item.row for item in test]))
    for position in sorted(near, key=lambda position: train[position].number):
        tally.drop(NEAR_DUPLICATE, train[position].dataset_id, train[position].number)
    return [item for position, item in enumerate(train) if position not in near]


def _require(rows: int, dataset: DatasetInfo, tally: Tally, total: int, bounds: Bounds) -> None:
    if rows >= bounds.minimum_rows:
        return
    dropped = "; ".join(f"{count} {reason} ({tally.examples[reason]})" for reason, count in tally.rows.most_common())
    raise ValueError(
        f"dataset {dataset.dataset_id} has {rows} usable rows of {total}; the rules ask for {bounds.minimum_rows}: "
        f"take a larger one{', or mend its rows: ' + dropped if dropped else ''}"
    )
