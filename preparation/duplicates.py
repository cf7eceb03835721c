"""Near-duplicates between train and test: nobody is tested on what he has trained on.

Words are runs of letters and digits, case folded; a character of Chinese or Japanese writing is a word of its own.
A row's shingles: from every word of every column the five words on from there, ended by the column's end. What is in
more than a tenth of the test rows (and in more than two) belongs to the form of the rows and does not count.

Two rows are near-duplicates when |A ∩ B| / |A ∪ B| >= 0.8 of their shingles A and B: in a row of a hundred words two
may be exchanged. The comparison is exact. For its speed: a train row as similar as that to a test row of n shingles
has at least one of any n - ⌈0.8 n⌉ + 1 of them, so only rows that have one of its rarest are compared (the prefix
filter: Chaudhuri et al., "A Primitive Operator for Similarity Joins in Data Cleaning", 2006). Time is linear in train.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from preparation.cleaning import Row, texts_of

WIDTH = 5
SIMILAR = (4, 5)
"""The least similarity of near-duplicates, as a fraction."""
FORM_SHARE, FORM_ROWS = 10, 2
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")
_END = [""] * (WIDTH - 1)

Shingle = tuple[str, ...]


def near_duplicates(train: Iterable[Row], test: Sequence[Row]) -> list[int]:
    """Positions of the rows of train that are near-duplicates of a row of test."""
    counted = [shingles(row) for row in test]
    form = form_of(counted)
    tests = [found - form for found in counted]
    index = _index(tests)
    rare = set(index)
    return [position for position, row in enumerate(train) if _is_near(shingles(row) - form, tests, index, rare)]


def shingles(row: Row) -> set[Shingle]:
    found: set[Shingle] = set()
    for text in texts_of(row):
        words = _WORD.findall(text.casefold()) + _END
        found.update(zip(*(words[start:] for start in range(WIDTH)), strict=False))
    return found


def form_of(test: Sequence[set[Shingle]]) -> set[Shingle]:
    """Shingles that are in so many test rows that they say nothing of one."""
    counts = Counter(shingle for found in test for shingle in found)
    return {shingle for shingle, rows in counts.items() if rows * FORM_SHARE > len(test) and rows > FORM_ROWS}


def are_similar(a: set[Shingle], b: set[Shingle]) -> bool:
    """By their shingles without those of the form. Rows without any are similar to nothing."""
    both = len(a & b)
    return both > 0 and both * SIMILAR[1] >= (len(a) + len(b) - both) * SIMILAR[0]


def _index(tests: Sequence[set[Shingle]]) -> dict[Shingle, list[int]]:
    """The rarest shingles of each test row → the rows' positions."""
    rarity = Counter(shingle for found in tests for shingle in found)
    index: dict[Shingle, list[int]] = defaultdict(list)
    for position, found in enumerate(tests):
        rarest = sorted(found, key=lambda shingle: (rarity[shingle], shingle))
        for shingle in rarest[: _prefix(len(found))]:
            index[shingle].append(position)
    return dict(index)


def _prefix(count: int) -> int:
    """How many of a row's shingles are enough: any similar row has one of them."""
    needed = -(-count * SIMILAR[0] // SIMILAR[1])
    return count - needed + 1 if count else 0


def _is_near(
    found: set[Shingle], tests: Sequence[set[Shingle]], index: dict[Shingle, list[int]], rare: set[Shingle]
) -> bool:
    """`rare`: the index's keys; two sets are intersected by the smaller one."""
    candidates = {position for shingle in found & rare for position in index[shingle]}
    return any(are_similar(found, tests[position]) for position in candidates)
