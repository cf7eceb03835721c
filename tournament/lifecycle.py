"""What comes next, from the rows alone: never from how far a process had come."""

from dataclasses import dataclass

from core.challenge import Challenge, ChallengeStatus
from core.errors import Fault
from core.evaluation import EvaluationOutcome, Refused
from core.ids import ChallengeId
from core.tournament import HaltCause, Round, RoundStatus, RoundType, TournamentState, TournamentStatus
from core.training import TrainingFailed, TrainingOutcome, WorkStatus
from tournament.rounds import challenges_of, contenders_of, live_rounds
from tournament.rules import TournamentRules
from tournament.title import challenges_to_play


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
class ReplaceChallenge:
    """It could not be prepared: draw another in its place."""

    challenge_id: ChallengeId


@dataclass(frozen=True)
class Halt:
    """Only an operator can go on from here."""

    cause: HaltCause
    reason: str


Step = (
    AwaitBlock
    | CollectEntries
    | Cancel
    | DrawRound
    | PrepareRound
    | ReplaceChallenge
    | PlayRound
    | CloseRound
    | Crown
    | Halt
)


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
        case TournamentStatus.HALTED:
            return _halted_step(state, block_number)
        case TournamentStatus.FINISHED | TournamentStatus.CANCELLED:
            return None


def _halted_step(state: TournamentState, block_number: int) -> Step | None:
    halted = state.tournament.halted
    if halted is None or block_number < halted.decide_by_block:
        return None
    return Cancel(f"halted, and nobody decided by block {halted.decide_by_block}: {state.tournament.reason}")


def _active_step(state: TournamentState, rules: TournamentRules) -> Step:
    rounds = live_rounds(state)
    if not rounds:
        return _first_step(state, rules)
    last = rounds[-1]
    if last.status is RoundStatus.PLAYING:
        return _playing_step(state, last, rules)
    is_decided = last.plan.type is RoundType.TITLE and not challenges_to_play(state, rules)
    if is_decided or not contenders_of(state):
        return Crown()
    return DrawRound(state.rounds[-1].plan.number + 1)


def _first_step(state: TournamentState, rules: TournamentRules) -> Step:
    accepted = len(contenders_of(state))
    if accepted < rules.minimum_entrants and not state.rounds:
        return Cancel(f"{accepted} accepted entries, and the rules ask for {rules.minimum_entrants}")
    return DrawRound(len(state.rounds) + 1)


def _playing_step(state: TournamentState, round_: Round, rules: TournamentRules) -> Step:
    number, challenges = round_.plan.number, challenges_of(state, round_)
    if broken := next((c for c in challenges if c.status is ChallengeStatus.FAILED), None):
        return _unprepared(broken, rules)
    if any(challenge.status is ChallengeStatus.PLANNED for challenge in challenges):
        return PrepareRound(number)
    if has_open_work(state, round_):
        return PlayRound(number)
    failed, all_ = _failed_by_us(state, round_)
    if 2 * failed > all_ and not round_.failures_accepted:
        return Halt(HaltCause.FAILURES, f"our side failed at {failed} of the {all_} trainings of round {number}")
    return CloseRound(number)


def _unprepared(challenge: Challenge, rules: TournamentRules) -> Step:
    if challenge.plan.replacement < rules.replacements:
        return ReplaceChallenge(challenge.challenge_id)
    reason = f"challenge {challenge.challenge_id} could not be prepared"
    tried = f" ({challenge.plan.replacement} replacements tried)" if challenge.plan.replacement else ""
    return Halt(HaltCause.PREPARATION, f"{reason}{tried}: {challenge.reason}")


def has_open_work(state: TournamentState, round_: Round) -> bool:
    """Some training or evaluation of the round has no outcome yet."""
    challenges = {challenge.challenge_id for challenge in challenges_of(state, round_)}
    open_trainings = {t.challenge_id for t in state.trainings if t.status is not WorkStatus.DONE}
    open_evaluations = {e.challenge_id for e in state.evaluations if e.status is not WorkStatus.DONE}
    return not challenges.isdisjoint(open_trainings | open_evaluations)


def _failed_by_us(state: TournamentState, round_: Round) -> tuple[int, int]:
    """Trainings of the round without a value by our fault, and all of them."""
    challenges = {challenge.challenge_id for challenge in challenges_of(state, round_)}
    trainings = [t for t in state.trainings if t.challenge_id in challenges]
    outcomes = {e.training_id: e.outcome for e in state.evaluations}
    failed = [t for t in trainings if _is_ours(t.outcome) or _is_ours(outcomes.get(t.training_id))]
    return len(failed), len(trainings)


def _is_ours(outcome: TrainingOutcome | EvaluationOutcome | None) -> bool:
    return isinstance(outcome, TrainingFailed | Refused) and outcome.fault is Fault.PLATFORM
