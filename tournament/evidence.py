"""Evidence: everything that the weights follow from, in one published document that a stranger can recompute from."""

from collections.abc import Sequence

from core.artifacts import ArtifactRef
from core.ids import CHAMPION, ChallengeId, Contestant, Hotkey, TournamentId
from core.tournament import EntryStatus, RoundStatus, TitleResult, TournamentKind, TournamentState, TournamentStatus
from core.value import Frozen, Sha256
from tournament.rules import Emission, TournamentRules
from tournament.scoring import results_of


class ContestantEvidence(Frozen):
    contestant: Contestant
    loss: float | None
    reason: str | None = None
    evaluation_id: str | None = None
    report: ArtifactRef | None = None
    """Spec, report and per-example losses that the loss can be recomputed from."""


class ChallengeEvidence(Frozen):
    round_number: int
    challenge_id: ChallengeId
    results: tuple[ContestantEvidence, ...]


class TournamentEvidence(Frozen):
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
    emission: Emission


class Evidence(Frozen):
    """Of the newest finished tournament of each kind, and of who plays now."""

    policy: str
    netuid: int
    burn_hotkey: Hotkey
    tournaments: tuple[TournamentEvidence, ...]
    participants: tuple[Hotkey, ...]
    """Hotkeys that are still in an active tournament."""


def tournament_evidence(state: TournamentState, streak: int, title_gain: str) -> TournamentEvidence:
    """What a finished tournament gives. Raises ValueError when it is not finished."""
    tournament = state.tournament
    if tournament.title is None or tournament.seed is None:
        raise ValueError(f"tournament {tournament.tournament_id} is not finished")
    return TournamentEvidence(
        tournament_id=tournament.tournament_id,
        kind=tournament.kind,
        seed=tournament.seed,
        champion_before=tournament.champion.hotkey,
        title=tournament.title,
        streak=streak,
        title_gain=title_gain,
        challenges=tuple(_challenges(state)),
        emission=TournamentRules.model_validate(tournament.rules).emission,
    )


def _challenges(state: TournamentState) -> list[ChallengeEvidence]:
    return [
        ChallengeEvidence(
            round_number=round_.plan.number,
            challenge_id=plan.challenge_id,
            results=tuple(_results(state, plan.challenge_id)),
        )
        for round_ in state.rounds
        for group in round_.plan.groups
        for plan in group.challenges
    ]


def _results(state: TournamentState, challenge_id: ChallengeId) -> list[ContestantEvidence]:
    return [
        ContestantEvidence(
            contestant=result.contestant,
            loss=result.loss,
            reason=result.reason,
            evaluation_id=result.evaluation.evaluation_id if result.evaluation else None,
            report=result.evaluation.report if result.evaluation else None,
        )
        for _, result in sorted(results_of(state, challenge_id).items())
    ]


def participants(states: Sequence[TournamentState]) -> tuple[Hotkey, ...]:
    """Hotkeys that play in an active tournament and are not out of it."""
    playing: set[Hotkey] = set()
    for state in states:
        if state.tournament.status in (TournamentStatus.ACTIVE, TournamentStatus.HALTED):
            playing |= _still_in(state)
    return tuple(sorted(playing))


def _still_in(state: TournamentState) -> set[Hotkey]:
    closed = [round_ for round_ in state.rounds if round_.status is RoundStatus.CLOSED]
    if not closed:
        return {entry.hotkey for entry in state.entries if entry.status is EntryStatus.ACCEPTED}
    through = {s.contestant for s in state.results[-1].standings if s.advances}
    return {Hotkey(contestant) for contestant in through if contestant != CHAMPION}


def best_of(challenge: ChallengeEvidence) -> list[Contestant]:
    """The contestants with the lowest loss; several on an exact tie, none when nobody scored."""
    losses = [result.loss for result in challenge.results if result.loss is not None]
    return [result.contestant for result in challenge.results if losses and result.loss == min(losses)]
