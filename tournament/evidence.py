"""Evidence: everything that the weights follow from, in one published document that a stranger can recompute from."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from core.artifacts import ArtifactRef
from core.challenge import ChallengeKind, Direction
from core.ids import MIRROR, ChallengeId, Contestant, Hotkey, TournamentId
from core.tournament import (
    EntryStatus,
    RoundResult,
    RoundStatus,
    TitleResult,
    TournamentKind,
    TournamentState,
    TournamentStatus,
)
from core.value import Frozen, Sha256
from tournament.positions import FinalPosition, Release, final_positions, released
from tournament.rounds import contenders_of, live_rounds
from tournament.rules import Emission, TournamentRules
from tournament.scoring import results_of


class ContestantEvidence(Frozen):
    contestant: Contestant
    value: float | None
    """As it counted; the challenge's kind says which way it is better."""
    reason: str | None = None
    evaluation_id: str | None = None
    report: ArtifactRef | None = None
    """Spec, report and per-example results that the value can be recomputed from."""


class ChallengeEvidence(Frozen):
    round_number: int
    challenge_id: ChallengeId
    kind: ChallengeKind
    results: tuple[ContestantEvidence, ...]


class TournamentEvidence(Frozen):
    """Of a finished tournament."""

    tournament_id: TournamentId
    kind: TournamentKind
    seed: Sha256
    champion_before: Hotkey
    title: TitleResult
    streak: int
    """Of the winner, this tournament included."""
    title_gain: str
    """Performance difference with which the present champion won the title; "0" for the first code of all."""
    challenges: tuple[ChallengeEvidence, ...]
    standings: tuple[RoundResult, ...]
    """Of the closed rounds in force."""
    disqualified: dict[Hotkey, str] = {}
    """Why, for each."""
    positions: tuple[FinalPosition, ...]
    """They follow from title and standings."""
    released: tuple[Release, ...]
    entrants_before: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Accepted entries of the kind's finished tournaments before this one, newest first; as many as the policy asks."""
    runner_up_is_paid: bool = True
    """Whether the days that the policy pays it were not over when the evidence was gathered."""
    emission: Emission
    """The constants in force, of the evidence's policy."""

    @model_validator(mode="after")
    def _positions_follow(self) -> "TournamentEvidence":
        if self.positions != final_positions(self.title, self.standings, self.disqualified):
            raise ValueError(f"{self.tournament_id}: the positions do not follow from the title and the standings")
        return self


class Evidence(Frozen):
    """Of the newest finished tournament of each kind, and of who plays now."""

    policy: str
    netuid: int
    burn_hotkey: Hotkey
    tournaments: tuple[TournamentEvidence, ...]
    unplayed: dict[TournamentKind, Emission] = {}
    """Constants of the kinds without a finished tournament."""
    participants: tuple[Hotkey, ...] = ()
    """Hotkeys that are still in an active tournament, where the policy pays them."""


def tournament_evidence(
    state: TournamentState,
    streak: int,
    title_gain: str,
    emission: Emission | None = None,
    entrants_before: Sequence[int] = (),
    runner_up_is_paid: bool = True,
) -> TournamentEvidence:
    """What a finished tournament gives; without other constants, its own. Raises ValueError when it is not finished."""
    tournament, rules = state.tournament, TournamentRules.model_validate(state.tournament.rules)
    if tournament.title is None or tournament.seed is None:
        raise ValueError(f"tournament {tournament.tournament_id} is not finished")
    standings = _standings(state)
    positions = final_positions(tournament.title, standings, state.disqualified)
    return TournamentEvidence(
        tournament_id=tournament.tournament_id,
        kind=tournament.kind,
        seed=tournament.seed,
        champion_before=tournament.champion.hotkey,
        title=tournament.title,
        streak=streak,
        title_gain=title_gain,
        challenges=tuple(_challenges(state, rules)),
        standings=standings,
        disqualified=state.disqualified,
        positions=positions,
        released=released(state, positions),
        entrants_before=tuple(entrants_before),
        runner_up_is_paid=runner_up_is_paid,
        emission=emission or rules.emission,
    )


def _standings(state: TournamentState) -> tuple[RoundResult, ...]:
    closed = {round_.plan.round_id for round_ in state.rounds if round_.status is RoundStatus.CLOSED}
    return tuple(result for result in state.results if result.round_id in closed)


def _challenges(state: TournamentState, rules: TournamentRules) -> list[ChallengeEvidence]:
    return [
        ChallengeEvidence(
            round_number=round_.plan.number,
            challenge_id=plan.challenge_id,
            kind=plan.kind,
            results=tuple(_results(state, plan.challenge_id, rules)),
        )
        for round_ in live_rounds(state)
        for group in round_.plan.groups
        for plan in group.challenges
    ]


def _results(state: TournamentState, challenge_id: ChallengeId, rules: TournamentRules) -> list[ContestantEvidence]:
    return [
        ContestantEvidence(
            contestant=result.contestant,
            value=result.value,
            reason=result.reason,
            evaluation_id=result.evaluation.evaluation_id if result.evaluation else None,
            report=result.evaluation.report if result.evaluation else None,
        )
        for _, result in sorted(results_of(state, challenge_id, rules).items())
    ]


def entrants(state: TournamentState) -> int:
    return sum(entry.status is EntryStatus.ACCEPTED for entry in state.entries)


def participants(states: Sequence[TournamentState]) -> tuple[Hotkey, ...]:
    """Hotkeys that play in an active (or halted) tournament and are not out of it."""
    under_way = {TournamentStatus.ACTIVE, TournamentStatus.HALTED}
    playing = {Hotkey(c) for s in states if s.tournament.status in under_way for c in contenders_of(s)}
    return tuple(sorted(playing))


def best_of(challenge: ChallengeEvidence) -> list[Contestant]:
    """The contestants with the best value: several on an exact tie, none when nobody has one. The mirror is nobody."""
    values = {r.contestant: r.value for r in challenge.results if r.value is not None and r.contestant != MIRROR}
    if not values:
        return []
    best = max(values.values()) if challenge.kind.direction is Direction.SCORE else min(values.values())
    return [contestant for contestant, value in values.items() if value == best]
