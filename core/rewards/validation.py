"""What trying a challenge's reward functions on sample rows found."""

from typing import Annotated

from pydantic import Field

from core.challenge import GrpoDataset
from core.value import Frozen

SAMPLE_ROWS = 10
"""So many rows a function is tried on, at most."""


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
    """`report.json` of a validation job: verdicts in the spec's order, of every function when the job ends well.

    It is written after each verdict: of a job that was stopped, the first function without one was being tried.
    """

    verdicts: tuple[Verdict, ...]
    confinement: str
    """What held the functions, such as `seccomp, Landlock 7`."""


class ValidationSpec(Frozen):
    """`spec.json` of a validation job. Paths are inside the container."""

    rows: str = "/job/inputs/rows.json"
    """A JSON list of sample rows."""
    outputs: str = "/job/outputs"
    dataset_type: GrpoDataset
