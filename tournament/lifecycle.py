"""What comes next, from the rows alone: never from how far a process had come."""

from dataclasses import dataclass

from core.challenge import ChallengeStatus
from core.ids import Contestant
from core.tournament import EntryStatus, Round, RoundStatus, RoundType, TournamentState, TournamentStatus
from core.training import WorkStatus
from tournament.rules import TournamentRules


@dataclass(frozen=True)
class AwaitBlock:
    """Entries are open until this block."""

    block_number: int


@dataclass(frozen=True)
class CollectEntries:
    """Judge everybody who committed an entry by this block."""

    closing_block: int


@dataclass(frozen=True)
class Cancel:
    reason: str


@dataclass(frozen=True)
class DrawRound:
    number: int


@dataclass(frozen=True)
class PrepareRound:
    """Challenges of the round that still need their data."""

    number: int


@dataclass(frozen=True)
class PlayRound:
    """Trainings and evaluations of the round without an outcome."""

    number: int


@dataclass(frozen=True)
class CloseRound:
    number: int


@dataclass(frozen=True)
class Crown:
    """The title is decided."""


@dataclass(frozen=True)
class Halt:
    """Only an operator can go on from here."""

    reason: str


Step = AwaitBlock | CollectEntries | Cancel | DrawRound | PrepareRound | PlayRound | CloseRound | Crown | Halt


def next_step(state: TournamentState, block_number: int, rules: TournamentRules) -> Step | None:
    """The one thing to do now; None when the tournament is over or waits for an operator."""
    tournament = state.tournament
    match tournament.status:
        case TournamentStatus.COLLECTING if block_number < tournament.closing_block:
            return AwaitBlock(tournament.closing_block)
        case TournamentStatus.COLLECTING:
            return CollectEntries(tournament.closing_block)
        case TournamentStatus.ACTIVE:
            return _active_step(state, rules)
        case TournamentStatus.HALTED | TournamentStatus.FINISHED | TournamentStatus.CANCELLED:
            return None


def _active_step(state: TournamentState, rules: TournamentRules) -> Step:
    if not state.rounds:
        return _first_step(state, rules)
    last = state.rounds[-1]
    if last.status is RoundStatus.PLAYING:
        return _playing_step(state, last)
    if last.plan.type is RoundType.TITLE or not contenders_of(state):
        return Crown()
    return DrawRound(last.plan.number + 1)


def _first_step(state: TournamentState, rules: TournamentRules) -> Step:
    accepted = len(contenders_of(state))
    if accepted < rules.minimum_entrants:
        return Cancel(f"{accepted} accepted entries, and the rules ask for {rules.minimum_entrants}")
    return DrawRound(1)


def _playing_step(state: TournamentState, round_: Round) -> Step:
    number = round_.plan.number
    challenges = [c for c in state.challenges if c.round_id == round_.plan.round_id]
    if broken := next((c for c in challenges if c.status is ChallengeStatus.FAILED), None):
        return Halt(f"challenge {broken.challenge_id} could not be prepared: {broken.reason}")
    if any(challenge.status is ChallengeStatus.PLANNED for challenge in challenges):
        return PrepareRound(number)
    return PlayRound(number) if has_open_work(state, round_) else CloseRound(number)


def has_open_work(state: TournamentState, round_: Round) -> bool:
    """Some training or evaluation of the round has no outcome yet."""
    challenges = {c.challenge_id for c in state.challenges if c.round_id == round_.plan.round_id}
    open_trainings = {t.challenge_id for t in state.trainings if t.status is not WorkStatus.DONE}
    open_evaluations = {e.challenge_id for e in state.evaluations if e.status is not WorkStatus.DONE}
    return not challenges.isdisjoint(open_trainings | open_evaluations)


def contenders_of(state: TournamentState) -> list[Contestant]:
    """Who still plays for the title: the accepted entrants, later those whom the last closed round let through."""
    if not state.results:
        return [Contestant(entry.hotkey) for entry in state.entries if entry.status is EntryStatus.ACCEPTED]
    return [standing.contestant for standing in state.results[-1].standings if standing.advances]
