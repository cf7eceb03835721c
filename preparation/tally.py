"""What became of every row that came in."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of dropped rows by reason, each with the first such row."""

    rows: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    messages: int = 0
    """Left out of conversations that stay."""

    def drop(self, reason: str, dataset_id: str, number: int) -> None:
        """`number` counts the rows of the dataset from 1."""
        self.rows[reason] += 1
        self.examples.setdefault(reason, f"{dataset_id}, row {number}")

    @property
    def total(self) -> int:
        return self.rows.total()
