"""Rule sets: every number of a competition in one frozen value, copied into the tournament's row when it opens.

`calibrated` is ours and the default; `classic` holds the constants and decisions of the reference system; `demo` is the
classic game at a scale that two cores play in minutes. docs/rules.md says what the numbers mean, clause by clause.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil
from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.chain import RAO_PER_TAO
from core.challenge import ChallengeKind
from core.tournament import RoundType, TournamentKind
from core.value import Frozen, Positive, Sha256
from tournament.boundaries import BOUNDARIES, LOOKS, Boundary

Share = Annotated[Decimal, Field(ge=0, le=1)]
Parameters = tuple[int, int]
"""Fewest and most parameters of a base model, both included."""
DAY_BLOCKS = 7200
YEAR_BLOCKS = 365 * DAY_BLOCKS


class HoursBand(Frozen):
    """Training hours by size of the dataset: a whole number of hours is drawn from [least, most]."""

    most_rows: int
    least: int
    most: int


class WeeklyWindow(Frozen):
    """Tournaments open in one hour of the week, UTC."""

    weekday: Annotated[int, Field(ge=0, le=6)]
    """0 is Monday."""
    hour: Annotated[int, Field(ge=0, le=23)]


class Schedule(Frozen):
    """When the next tournament of a kind opens."""

    pause_seconds: Annotated[float, Field(ge=0)] = 86_400.0
    """From the end of the last one."""
    weekly: WeeklyWindow | None = None
    """Besides, only in this hour; an hour missed waits for the next week."""


class MarginTitle(Frozen):
    """The reference's title match: a relative margin on each challenge, and most of the challenges."""

    rule: Literal["margin"] = "margin"
    first: Share = Decimal("0.10")
    """Relative margin over a champion of one tournament."""
    factor: Share = Decimal("0.8")
    """For each further tournament that the champion has held."""
    floor: Share = Decimal("0.03")


class PooledTitle(Frozen):
    """Our title match: one test over the gains of all challenges, with looks at fixed numbers of them.

    H0: the challenger's mean relative gain over the programme's challenges is at most 0. At look j the challenger takes
    the title when mean × √K / s.d. reaches the boundary and the mean reaches `floor`; below `futility` the champion
    stays; between, more challenges are played. The boundaries hold for every s.d. (tournament/boundaries.py).
    """

    rule: Literal["pooled"] = "pooled"
    floor: Share = Decimal("0.005")
    """Smallest mean gain that a title is given for."""
    futility: Decimal = Decimal("0.006")
    """Below this mean gain the match ends at a look; non-binding, it only saves hours."""
    most_gain: Share = Decimal("0.05")
    """A challenge counts for at most so much either way; a contestant without a valid result loses by this."""
    looks: tuple[int, ...] = LOOKS
    """Challenges at each look, increasing; the last is the most that are played."""
    boundaries: tuple[Boundary, ...] = BOUNDARIES
    """Critical values by α, the smallest α first."""
    alpha_per_year: Share = Decimal("0.05")
    """Budget of false dethronings per year and kind; it accrues with the chain's blocks."""
    alpha_days: Annotated[int, Field(ge=1)] = 7
    """What the first tournament of a kind may spend, in days of the budget."""
    alpha: Share | None = None
    """What this tournament's match may spend; set when it opens."""
    duel_blocks: Annotated[int, Field(ge=1)] | None = 30 * DAY_BLOCKS
    """The champion's code duels itself in one title match in so many blocks; None: never."""
    duel: bool = False
    """Whether it does in this tournament; set when it opens."""


class Pairs(Frozen):
    """How a knock-out pair is decided."""

    deciders: Annotated[int, Field(ge=0)] = 0
    """More challenges for an undecided pair; after the last one the better mean goes through."""
    clearance: Annotated[Decimal, Field(ge=0)] = Decimal(1)
    """A pair is decided when its mean gain is so many standard errors from 0."""


class KlRule(Frozen):
    """Which instruct challenges count the KL to the base beside the loss, and for how much."""

    share: Share
    """Chance of each of them."""
    coefficient: Annotated[Decimal, Field(gt=0)]
    """Nats of loss that a nat of KL counts for."""


class PoolEmission(Frozen):
    """Constants of the `classic` emission policy for one kind."""

    policy: Literal["classic/1"] = "classic/1"
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


class PodiumEmission(Frozen):
    """Constants of the `podium` emission policy for one kind (the reference's newer rules)."""

    policy: Literal["podium/1"] = "podium/1"
    anchor: Share
    """Share of the kind before entrants and boost move it."""
    most: Share = Decimal("0.50")
    boost_threshold: Decimal = Decimal("0.10")
    boost_rate: Decimal = Decimal("2.0")
    balance_power: Decimal = Decimal("1.25")
    """Exponent of anchor share over entrant share."""
    balance_floor: Share = Decimal("0.05")
    balance_tournaments: Annotated[int, Field(ge=1)] = 4
    """Entrants are averaged over so many finished tournaments, the newest left out."""
    balance_least_entrants: int = 3
    """Tournaments with fewer are ignored."""
    places: Annotated[int, Field(ge=1)] = 3
    rank_ratio: Share = Decimal("0.25")
    """A place earns this share of the place before."""
    runner_up_days: int = 7
    """Places after the first are paid so long after the end; then their shares go to the champion."""


Emission = Annotated[PoolEmission | PodiumEmission, Field(discriminator="policy")]


class TournamentRules(Frozen):
    name: str
    """Name and version."""
    schedule: Schedule = Schedule()
    window_blocks: Annotated[int, Field(ge=0)] = DAY_BLOCKS
    """Blocks from opening to the closing block."""

    minimum_entrants: Annotated[int, Field(ge=1)] = 8
    minimum_stake_rao: Annotated[int, Field(ge=0)] = 0
    most_entrants: Annotated[int, Field(ge=1)] | None = None
    """Those with the most (boosted) stake; None: everybody."""
    stake_boost: Share = Decimal("0.05")
    """On the stake for each earlier completed tournament of the hotkey."""
    stake_boost_most: Share = Decimal("0.25")
    entries_per_coldkey: Annotated[int, Field(ge=1)] | None = None
    entries_per_owner: Annotated[int, Field(ge=1)] | None = None
    """Entries from one owner's repositories on a host.

    None in the rules that ship: a link proves no ownership, so that a stranger could take an owner's place with an
    older commit of its public repository.
    """
    fee_rao: Annotated[int, Field(ge=0)] = 0
    """Taken from the coldkey's balance for each accepted entry; given back when the tournament is cancelled."""
    licence_sha256: Sha256 | None = None
    """Of the LICENSE that an entry must carry, lines right-stripped; None: not asked for."""
    notice_sha256: Sha256 | None = None
    dockerfile: str = "dockerfiles/standalone-text-trainer.dockerfile"

    knockout_limit: Annotated[int, Field(ge=1)] = 14
    """Up to so many contenders play in pairs, more in groups."""
    group_most: Annotated[int, Field(ge=2)] = 32
    group_least: Annotated[int, Field(ge=2)] = 20
    group_advance: Annotated[int, Field(ge=1)] = 8
    group_challenges: Annotated[int, Field(ge=1)] = 1
    pairs: Pairs = Pairs()
    training_noise: Share = Decimal("0.007")
    """Relative s.d. of the difference of two trainings with the same code, for intervals and pairs; measured by duels.

    √2 × 0.006 nats of 1.2.
    """

    group_kind: ChallengeKind = ChallengeKind.INSTRUCT
    knockout_kinds: dict[ChallengeKind, Decimal] = {
        ChallengeKind.INSTRUCT: Decimal("0.5"),
        ChallengeKind.DPO: Decimal("0.1875"),
        ChallengeKind.GRPO: Decimal("0.3125"),
    }
    title_kinds: tuple[ChallengeKind, ...] = (
        (ChallengeKind.INSTRUCT,) * 2 + (ChallengeKind.DPO,) * 2 + (ChallengeKind.GRPO,) * 2
    )
    """Of the title's challenges, in their order; a longer match begins again."""
    kl: KlRule | None = None
    """None: no challenge counts the KL."""
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
        HoursBand(most_rows=10_000, least=1, most=3),
        HoursBand(most_rows=25_000, least=2, most=4),
        HoursBand(most_rows=50_000, least=3, most=5),
        HoursBand(most_rows=100_000, least=3, most=6),
        HoursBand(most_rows=500_000, least=4, most=6),
    )
    group_seconds: Positive = 7200.0
    fixed_seconds: Positive | None = None
    """One clock for every training, instead of `hours` and `group_seconds`."""
    evaluation_seconds: Positive = 18_000.0

    cohort_rewards: bool = False
    """GRPO rewards are normalised over who else plays, as the reference did; never in rules of ours."""
    title: Annotated[MarginTitle | PooledTitle, Field(discriminator="rule")] = PooledTitle()

    miner_attempts: Annotated[int, Field(ge=1)] = 2
    """Attempts that may end by the miner's own fault."""
    platform_attempts: Annotated[int, Field(ge=1)] = 20
    """Attempts lost to our side before the training or evaluation counts as failed by us."""
    replacements: Annotated[int, Field(ge=0)] = 3
    """How often a challenge that cannot be prepared is drawn anew before the operator is asked."""
    patience_blocks: Annotated[int, Field(ge=1)] = 3 * DAY_BLOCKS
    """How long a halted tournament waits for the operator; then it is cancelled and fees go back."""

    emission: Emission

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


IMAGE_PROGRAMME = {
    "dockerfile": "dockerfiles/standalone-image-trainer.dockerfile",
    "fee_rao": 15 * RAO_PER_TAO // 100,
    "group_kind": ChallengeKind.IMAGE,
    "knockout_kinds": {ChallengeKind.IMAGE: Decimal(1)},
    "title_kinds": (ChallengeKind.IMAGE,) * 6,
    "kl": None,
    "minimum_rows": 10,
    "hours": (HoursBand(most_rows=1_000_000, least=1, most=2),),
    "group_seconds": 3600.0,
}

CLASSIC_TEXT = TournamentRules(
    name="classic/1",
    schedule=Schedule(pause_seconds=3 * 86_400.0),
    fee_rao=20 * RAO_PER_TAO // 100,
    cohort_rewards=True,
    title=MarginTitle(),
    emission=PoolEmission(base=Decimal("0.15"), most=Decimal("0.60")),
)
CLASSIC_IMAGE = CLASSIC_TEXT.model_copy(
    update={**IMAGE_PROGRAMME, "emission": PoolEmission(base=Decimal("0.10"), most=Decimal("0.40"))}
)

CALIBRATED_TEXT = TournamentRules(
    name="calibrated/1",
    entries_per_coldkey=1,
    fee_rao=20 * RAO_PER_TAO // 100,
    knockout_limit=4,
    group_advance=4,
    pairs=Pairs(deciders=1, clearance=Decimal("0.5")),
    title_kinds=(ChallengeKind.INSTRUCT, ChallengeKind.GRPO, ChallengeKind.DPO),
    kl=KlRule(share=Decimal("0.2"), coefficient=Decimal("0.1")),
    big_model_share=Decimal("0.1"),
    emission=PodiumEmission(anchor=Decimal("0.35")),
)
CALIBRATED_IMAGE = CALIBRATED_TEXT.model_copy(
    update={**IMAGE_PROGRAMME, "emission": PodiumEmission(anchor=Decimal("0.25"))}
)

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
    title=MarginTitle(first=Decimal("0.02"), floor=Decimal("0.01")),
    miner_attempts=1,
    emission=PoolEmission(base=Decimal("0.15"), most=Decimal("0.60")),
)

DEMO_KINDS = DEMO.model_copy(
    update={
        "name": "demo-kinds/1",
        "kl": KlRule(share=Decimal(1), coefficient=Decimal("0.1")),
        "test_most": 40,
        "evaluation_seconds": 900.0,
    }
)
"""The demo with other kinds of challenges, instruct with the KL; few test rows, for GRPO's generations take long."""

NAMED: dict[str, dict[TournamentKind, TournamentRules]] = {
    "calibrated": {TournamentKind.TEXT: CALIBRATED_TEXT, TournamentKind.IMAGE: CALIBRATED_IMAGE},
    "classic": {TournamentKind.TEXT: CLASSIC_TEXT, TournamentKind.IMAGE: CLASSIC_IMAGE},
    "demo": {TournamentKind.TEXT: DEMO},
    "demo-kinds": {TournamentKind.TEXT: DEMO_KINDS},
}


def named(name: str, kind: TournamentKind = TournamentKind.TEXT) -> TournamentRules:
    """Raises ValueError for a name that we do not ship, or not for this kind."""
    if name not in NAMED:
        raise ValueError(f"there are no rules named {name!r}; we ship {', '.join(sorted(NAMED))}")
    if kind not in NAMED[name]:
        raise ValueError(f"the rules {name!r} are not for {kind} tournaments")
    return NAMED[name][kind]


def with_kinds(rules: TournamentRules, kinds: Sequence[ChallengeKind]) -> TournamentRules:
    """The rules with these kinds of challenges: the first in groups, all alike in pairs, each once in the title match.

    Without any they stay as they are.
    """
    if not kinds:
        return rules
    drawn = dict.fromkeys(kinds, Decimal(1))
    return rules.model_copy(
        update={"group_kind": kinds[0], "knockout_kinds": drawn, "title_kinds": tuple(dict.fromkeys(kinds))}
    )
