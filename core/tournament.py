"""Tournaments: entries, rounds, groups, standings. Data only; the rules are in `tournament/`."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from core.artifacts import ArtifactRef
from core.challenge import Challenge, ChallengePlan, Direction
from core.errors import Fault, SubmissionError
from core.evaluation import Evaluation
from core.ids import Coldkey, Contestant, GroupId, Hotkey, RoundId, TournamentId
from core.training import Training
from core.value import CommitSha, Frozen, Sha256


class TournamentKind(StrEnum):
    TEXT = "text"
    IMAGE = "image"


class TournamentStatus(StrEnum):
    COLLECTING = "collecting"
    """Entries are taken until the closing block."""
    ACTIVE = "active"
    """Rounds are played."""
    HALTED = "halted"
    """Our side failed too often: an operator decides, see `Halted`. Nobody is scored meanwhile."""
    FINISHED = "finished"
    CANCELLED = "cancelled"


_CLAIM = re.compile(r"^(?P<kind>text|image):(?P<repository>\S+)@(?P<commit>[0-9a-f]{40})$")


class EntryClaim(Frozen):
    """What a miner commits on the chain to enter: `text:https://host/owner/repo@<40 hex>`."""

    kind: TournamentKind
    repository: str
    commit: CommitSha

    @property
    def payload(self) -> str:
        return f"{self.kind}:{self.repository}@{self.commit}"

    @classmethod
    def parse(cls, payload: str) -> "EntryClaim":
        """Raises SubmissionError when it is no claim."""
        match = _CLAIM.fullmatch(payload)
        if match is None:
            raise SubmissionError(
                f"the commitment {payload[:120]!r} is not of the form 'text:<repository link>@<40-character commit>'"
            )
        return cls.model_validate(match.groupdict())


class HaltCause(StrEnum):
    """Why a tournament waits for its operator."""

    PREPARATION = "preparation"
    """A challenge could not be prepared, nor could its replacements."""
    PLATFORM = "platform"
    """Work could not even be started, again and again."""
    FAILURES = "failures"
    """Our side failed at more than half of a round's trainings."""


class Halted(Frozen):
    cause: HaltCause
    decide_by_block: Annotated[int, Field(ge=0)]
    """Without a decision by then it is cancelled, and fees go back."""


class EntryStatus(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Entry(Frozen):
    """One hotkey in one tournament, judged at the closing block."""

    hotkey: Hotkey
    coldkey: Coldkey
    stake_rao: Annotated[int, Field(ge=0)]
    repository: str
    commit: str
    """40 hex, or the miner's own words where it was refused for that."""
    registered_block: int
    tree: ArtifactRef | None = None
    status: EntryStatus
    reason: str | None = None
    fault: Fault | None = None


class Champion(Frozen):
    """The reigning champion's frozen code."""

    hotkey: Hotkey
    repository: str
    commit: CommitSha
    tree: ArtifactRef
    won: TournamentId | None
    """Where the title was won; None for the code that the first tournament starts with."""
    streak: Annotated[int, Field(ge=0)] = 0
    """Newest tournaments in a row with this champion at the end, the won one included."""


class RoundType(StrEnum):
    GROUP = "group"
    KNOCKOUT = "knockout"
    TITLE = "title"


class RoundStatus(StrEnum):
    PLAYING = "playing"
    CLOSED = "closed"
    SUPERSEDED = "superseded"
    """An earlier round was revised and let others through."""


class Group(Frozen):
    """Who plays whom; a pair has two members, a bye one."""

    group_id: GroupId
    position: Annotated[int, Field(ge=1)]
    members: tuple[Contestant, ...]
    challenges: tuple[ChallengePlan, ...]
    """Empty for a bye."""


class RoundPlan(Frozen):
    """A round as it was drawn: everything that follows from the seed."""

    round_id: RoundId
    number: Annotated[int, Field(ge=1)]
    type: RoundType
    groups: tuple[Group, ...]


class Round(Frozen):
    plan: RoundPlan
    status: RoundStatus
    failures_accepted: bool = False
    """An operator lets it close although our side failed at most of its trainings."""


class Gap(Frozen):
    """How far a contestant is ahead of another, relative (0.01 is one per cent), with a 95 % interval.

    The interval covers the test examples and the stated noise of training. Exact decimals.
    """

    against: Contestant
    gain: str
    low: str
    high: str


class Standing(Frozen):
    """One contestant's result of one round."""

    group_id: GroupId
    contestant: Contestant
    rank: Annotated[int, Field(ge=1)]
    """Within the group; 1 is best, ties share a rank."""
    value: float | None
    """Mean of the measured values over the group's challenges; None without a valid result or for a bye."""
    gap: Gap | None = None
    """To the last one that goes through (for those who do: to the first one that does not); of a pair, to the other."""
    advances: bool
    reason: str | None = None
    """Why there is no value, or how a tie was decided."""
    fault: Fault | None = None


class RoundResult(Frozen):
    round_id: RoundId
    number: int
    revision: Annotated[int, Field(ge=1)] = 1
    standings: tuple[Standing, ...]


class TitleChallenge(Frozen):
    """One challenge of the title match."""

    challenge_id: str
    direction: Direction = Direction.LOSS
    champion_value: float | None
    challenger_value: float | None
    winner: Contestant | None
    """CHAMPION or the challenger's hotkey; None: it does not count."""
    why: str
    gain: str | None = None
    """Of the challenger over the champion, relative, as it entered the test; an exact decimal."""
    standard_error: str | None = None
    """Of the gain, from the test examples alone."""
    mirror_gain: str | None = None
    """Of the champion's code over itself, trained once more (A/A duel)."""


class TitleTest(Frozen):
    """The pooled one-sided test over the gains of the title's challenges. Exact decimals."""

    alpha: str
    """What of the year's budget the match may spend."""
    challenges: int
    """K: gains that entered."""
    mean_gain: str
    standard_deviation: str
    """Of one challenge's gain, estimated from the K."""
    statistic: str | None
    """mean_gain × √K / standard_deviation; None while that is 0."""
    critical: str
    """What the statistic had to reach at this look."""
    low: str
    """Lower confidence bound of the mean gain at level 1 − alpha, valid whenever the match stopped."""
    smallest_detectable_gain: str
    """True gain that the whole match would have found with 80 % power at this standard deviation."""


class TitleResult(Frozen):
    """How the title was decided."""

    challenger: Hotkey | None
    """None when nobody came through to challenge."""
    champion: Hotkey
    threshold: str
    """Relative margin that the challenger had to reach, as an exact decimal."""
    test: TitleTest | None = None
    """Of a pooled title match."""
    challenges: tuple[TitleChallenge, ...] = ()
    winner: Hotkey
    changed_hands: bool
    performance_difference: str = "0"
    """Median relative gain of the challenger over the champion, as an exact decimal."""
    why: str


class Tournament(Frozen):
    tournament_id: TournamentId
    kind: TournamentKind
    status: TournamentStatus
    netuid: int
    rules: dict[str, Any]
    """The rule set in force, copied when the tournament opened (`tournament.rules.TournamentRules`)."""
    opened_block: int
    closing_block: int
    seed: Sha256 | None = None
    """Hash of the closing block; every draw comes from it."""
    champion: Champion
    """Who defends; a snapshot taken when the tournament opened."""
    title: TitleResult | None = None
    """Its newest revision."""
    title_revision: Annotated[int, Field(ge=0)] = 0
    """0 while there is no title."""
    reason: str | None = None
    """Why it was halted or cancelled."""
    halted: Halted | None = None
    """While it is."""
    opened_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled_at: datetime | None = None


class TournamentState(Frozen):
    """A tournament whole, as the rules look at it."""

    tournament: Tournament
    entries: tuple[Entry, ...] = ()
    rounds: tuple[Round, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    trainings: tuple[Training, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    """Those of the tournament itself, never re-evaluations."""
    results: tuple[RoundResult, ...] = ()
    """The newest revision of each closed round; those of superseded rounds are left out."""
    disqualified: dict[Hotkey, str] = {}
    """Whose results do not count, and why; found after the entries were judged."""


class WeightSetting(Frozen):
    """Weights that were derived from evidence, and what the chain said."""

    setting_id: str
    """`weights-<first 16 hex of the evidence's sha256>`: the same evidence is set once."""
    netuid: int
    policy: str
    """Name and version of the emission policy."""
    evidence: ArtifactRef
    weights: dict[Hotkey, str]
    """Exact decimals, ≥ 0, sum 1."""
    block_number: int | None = None
    """Where the chain took them; None while planned."""
