"""Several datasets as one: none is more than half of it, and no row is left out for more than that."""

from collections.abc import Sequence
from hashlib import sha256

from preparation.cleaning import Numbered
from preparation.tally import Tally


def mix(datasets: Sequence[Sequence[Numbered]], seed: str, tally: Tally) -> list[Numbered]:
    """All rows of all datasets, but of one with more rows than all others together only as many as those.

    Which of its rows are left out is drawn by the seed; the order of rows does not matter. One dataset stays whole.
    """
    total = sum(map(len, datasets))
    mixed: list[Numbered] = []
    for rows in datasets:
        others = total - len(rows)
        most = len(rows) if len(datasets) == 1 else min(len(rows), others)
        drawn = drawn_order(rows, f"{seed}:mix")
        mixed += drawn[:most]
        for left_out in drawn[most:]:
            tally.drop("more than half of the mix", left_out.dataset_id, left_out.number)
    return mixed


def drawn_order(rows: Sequence[Numbered], seed: str) -> list[Numbered]:
    """Sorted by the SHA-256 of seed and row, so that the source's order does not matter."""
    return sorted(rows, key=lambda row: sha256(f"{seed}:{row.sha256}".encode()).hexdigest())
