"""Rule sets: every number of a competition in one frozen value, copied into the tournament's row when it opens.

`classic` holds the constants of the reference system (docs/rules.md names them clause by clause); `demo` is the same
game at a scale that two cores play in minutes.
"""

from decimal import Decimal
from math import ceil
from typing import Annotated

from pydantic import Field, model_validator

from core.challenge import ChallengeKind
from core.tournament import RoundType
from core.value import Frozen, Positive, Sha256

Share = Annotated[Decimal, Field(ge=0, le=1)]
Parameters = tuple[int, int]
"""Fewest and most parameters of a base model, both included."""


class HoursBand(Frozen):
    """Training hours by size of the dataset: a whole number of hours is drawn from [least, most]."""

    below_rows: int
    least: int
    most: int


class Emission(Frozen):
    """The classic emission policy's constants for one tournament kind."""

    base: Share
    """Pool of the kind while the champion has no boost."""
    most: Share
    boost_threshold: Decimal = Decimal("0.05")
    boost_rate: Decimal = Decimal("2.0")
    boost_decay: Decimal = Decimal("0.01")
    """Off the boost for each further tournament that the champion has held."""
    rank_decay: Share = Decimal("0.3")
    participation: Share = Decimal("0.0001")
    """Paid to each hotkey that is still in an active tournament."""


class TournamentRules(Frozen):
    name: str
    """Name and version."""
    window_blocks: Annotated[int, Field(ge=0)] = 7200
    """Blocks from opening to the closing block."""
    minimum_entrants: Annotated[int, Field(ge=1)] = 8
    minimum_stake_rao: Annotated[int, Field(ge=0)] = 0
    licence_sha256: Sha256 | None = None
    """Of the LICENSE that an entry must carry, lines right-stripped; None: not asked for."""
    notice_sha256: Sha256 | None = None
    dockerfile: str = "dockerfiles/standalone-text-trainer.dockerfile"

    knockout_limit: Annotated[int, Field(ge=1)] = 14
    """Up to so many contenders play in pairs, more in groups."""
    group_most: Annotated[int, Field(ge=2)] = 32
    group_least: Annotated[int, Field(ge=2)] = 20
    group_advance: Annotated[int, Field(ge=1)] = 8

    group_kind: ChallengeKind = ChallengeKind.INSTRUCT
    knockout_kinds: dict[ChallengeKind, Decimal] = {
        ChallengeKind.INSTRUCT: Decimal("0.5"),
        ChallengeKind.DPO: Decimal("0.1875"),
        ChallengeKind.GRPO: Decimal("0.3125"),
    }
    title_kinds: tuple[ChallengeKind, ...] = (
        (ChallengeKind.INSTRUCT,) * 2 + (ChallengeKind.DPO,) * 2 + (ChallengeKind.GRPO,) * 2
    )
    models: dict[RoundType, Parameters] = {
        RoundType.GROUP: (100_000_000, 4_000_000_000),
        RoundType.KNOCKOUT: (100_000_000, 12_000_000_000),
        RoundType.TITLE: (100_000_000, 12_000_000_000),
    }
    big_models: Parameters = (12_000_000_000, 71_000_000_000)
    big_model_share: Share = Decimal("0.2")
    """Chance that a title challenge has a big model."""
    minimum_rows: Annotated[int, Field(ge=10)] = 2000
    test_share: Share = Decimal("0.1")
    test_most: Annotated[int, Field(ge=1)] = 400
    hours: tuple[HoursBand, ...] = (
        HoursBand(below_rows=10_000, least=1, most=3),
        HoursBand(below_rows=25_000, least=2, most=4),
        HoursBand(below_rows=50_000, least=3, most=5),
        HoursBand(below_rows=100_000, least=3, most=6),
        HoursBand(below_rows=500_000, least=4, most=6),
    )
    group_seconds: Positive = 7200.0
    fixed_seconds: Positive | None = None
    """One clock for every training, instead of `hours` and `group_seconds`."""
    evaluation_seconds: Positive = 18_000.0

    title_first: Share = Decimal("0.10")
    """Relative margin over a champion of one tournament."""
    title_factor: Share = Decimal("0.8")
    """For each further tournament that the champion has held."""
    title_floor: Share = Decimal("0.03")

    miner_attempts: Annotated[int, Field(ge=1)] = 2
    """Attempts that may end by the miner's own fault."""
    platform_attempts: Annotated[int, Field(ge=1)] = 20
    """Attempts lost to our side before the tournament halts for the operator."""

    emission: Emission = Emission(base=Decimal("0.15"), most=Decimal("0.60"))

    @model_validator(mode="after")
    def _rounds_get_smaller(self) -> "TournamentRules":
        for contenders in range(self.knockout_limit + 1, 4 * self.group_most + self.knockout_limit):
            if self.group_count(contenders) * self.group_advance >= contenders:
                raise ValueError(f"{self.name}: a group round of {contenders} contenders would not get smaller")
        return self

    def group_count(self, contenders: int) -> int:
        """Groups for so many contenders; one fewer when they would come out too small."""
        count = ceil(contenders / self.group_most)
        return max(1, count - 1) if contenders / count < self.group_least else count


CLASSIC = TournamentRules(name="classic/1")

DEMO = TournamentRules(
    name="demo/1",
    window_blocks=2,
    minimum_entrants=2,
    knockout_limit=3,
    group_most=32,
    group_least=2,
    group_advance=2,
    knockout_kinds={ChallengeKind.INSTRUCT: Decimal(1)},
    title_kinds=(ChallengeKind.INSTRUCT,) * 3,
    models=dict.fromkeys(RoundType, (100000, 50000000)),
    big_model_share=Decimal(0),
    fixed_seconds=45.0,
    evaluation_seconds=180.0,
    title_first=Decimal("0.02"),
    title_floor=Decimal("0.01"),
    miner_attempts=1,
)

NAMED = {"classic": CLASSIC, "demo": DEMO}


def named(name: str) -> TournamentRules:
    """Raises ValueError for a name that we do not ship."""
    if name not in NAMED:
        raise ValueError(f"there are no rules named {name!r}; we ship {', '.join(sorted(NAMED))}")
    return NAMED[name]
