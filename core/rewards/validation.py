"""What trying a challenge's reward functions on sample rows found."""

from typing import Annotated

from pydantic import Field

from core.challenge import GrpoDataset
from core.value import Frozen


class Verdict(Frozen):
    """One function's."""

    reward_id: str
    name: str
    """The function's; the reward_id where the text has none."""
    reason: str | None = None
    """Why it is refused: `crash: …`, `timeout: …`, `type: …`, `length: …`, `finite: …`, `unsteady: …` or
    `contract: …`."""
    row: Annotated[int, Field(ge=0)] | None = None
    """Position of the first sample row that shows it; None where no row is needed for that."""
    values_cut: Annotated[int, Field(ge=0)] = 0
    """Values on the sample rows that lie beyond [0, 1]."""

    @property
    def is_sound(self) -> bool:
        return self.reason is None

    def __str__(self) -> str:
        if self.reason is None:
            return f"{self.name}: sound"
        return f"{self.name} is refused: {self.reason}" + ("" if self.row is None else f" (on sample row {self.row})")


class ValidationReport(Frozen):
    """`report.json` of a validation job: a verdict for each function, in the challenge's order."""

    verdicts: tuple[Verdict, ...]
    confinement: str
    """What held the functions, such as `seccomp, Landlock 7`."""


class ValidationSpec(Frozen):
    """`spec.json` of a validation job. Paths are inside the container."""

    rows: str = "/job/inputs/rows.json"
    """A JSON list of sample rows."""
    outputs: str = "/job/outputs"
    dataset_type: GrpoDataset
