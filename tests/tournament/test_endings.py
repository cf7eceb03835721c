"""The lifecycle reaches its end from every reachable state, whatever fails and whatever the operator decides."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.challenge import ChallengeStatus
from core.errors import Fault
from core.evaluation import Refused
from core.ids import evaluation_id
from core.tournament import EntryStatus, HaltCause, Halted, RoundStatus, TournamentState, TournamentStatus
from core.training import Trained, TrainingFailed, WorkStatus
from tests import builders
from tests.tournament.states import EVERYTHING, STRUCTURES, accepted, closed, ended, with_round
from tournament.lifecycle import (
    AwaitBlock,
    Cancel,
    CloseRound,
    CollectEntries,
    Crown,
    DrawRound,
    Halt,
    PlayRound,
    PrepareRound,
    ReplaceChallenge,
    Step,
    next_step,
)
from tournament.programme import draw_round, replacement
from tournament.rules import TournamentRules
from tournament.title import crown

MOST_STEPS = 45
"""Without a failure of ours: three for each round, of which a title match of 18 challenges has six."""


class World:
    """Takes each step in some way that may happen, until our luck turns: then all of our side's work succeeds."""

    def __init__(self, state: TournamentState, rules: TournamentRules, random, misfortunes: int) -> None:
        self.state, self.rules, self.random, self.block = state, rules, random, 0
        self.misfortunes, self.suffered, self.steps = misfortunes, 0, 0

    def live(self) -> TournamentState:
        """To the end. Every change is one that a store may write."""
        while step := next_step(self.state, self.block, self.rules):
            self.steps += not isinstance(step, PlayRound)
            assert self.steps <= MOST_STEPS + 3 * self.suffered, f"no end in sight: {step}"
            self.state = self.take(step)
        return self.state

    def take(self, step: Step) -> TournamentState:
        state, rules = self.state, self.rules
        match step:
            case AwaitBlock(block):
                self.block = block
                return state
            case CollectEntries():
                return ended(state, TournamentStatus.ACTIVE, seed=f"{self.random.getrandbits(256):064x}")
            case DrawRound(number):
                return with_round(state, draw_round(state, number, rules, EVERYTHING))
            case PrepareRound():
                return self.prepare()
            case ReplaceChallenge(challenge):
                plan = replacement(state, challenge, rules, EVERYTHING)
                return self.challenged(challenge, plan=plan, status=ChallengeStatus.PLANNED)
            case PlayRound():
                return self.work()
            case Halt(cause, reason):
                return self.decide(cause, reason)
            case CloseRound(number):
                return closed(state, number, rules)
            case Crown():
                return ended(state, TournamentStatus.FINISHED, title=crown(state, rules, {}))
            case Cancel(reason):
                return ended(state, TournamentStatus.CANCELLED, reason=reason)

    def is_unlucky(self) -> bool:
        unlucky = self.suffered < self.misfortunes and self.random.random() < 0.4
        self.suffered += unlucky
        return unlucky

    def prepare(self) -> TournamentState:
        planned = next(c for c in self.state.challenges if c.status is ChallengeStatus.PLANNED)
        while planned:
            fails = self.is_unlucky()
            found = {"reason": "12 rows"} if fails else {"data": builders.challenge_data()}
            status = ChallengeStatus.FAILED if fails else ChallengeStatus.READY
            self.state = self.challenged(planned.challenge_id, status=status, **found)
            planned = next((c for c in self.state.challenges if c.status is ChallengeStatus.PLANNED), None)
        return self.state

    def challenged(self, challenge: str, **changes) -> TournamentState:
        challenges = [c.model_copy(update=changes) if c.challenge_id == challenge else c for c in self.state.challenges]
        return self.state.model_copy(update={"challenges": tuple(challenges)})

    def work(self) -> TournamentState:
        """One training or evaluation that is open, whichever, gets its outcome."""
        open_ = [t for t in self.state.trainings if t.status is not WorkStatus.DONE]
        waiting = [e for e in self.state.evaluations if e.status is not WorkStatus.DONE]
        done = self.random.choice([*open_, *waiting])
        if done in waiting:
            outcome = self.outcome(builders.scored(0.1 + self.random.random()), Refused)
            return self.with_outcome(done, outcome, "evaluations")
        outcome = self.outcome(builders.trained(), TrainingFailed)
        self.state = self.with_outcome(done, outcome, "trainings")
        if not isinstance(outcome, Trained):
            return self.state
        name = evaluation_id(done.training_id, 1)
        queued = builders.evaluation(done.training_id, done.challenge_id, evaluation_id=name)
        return self.state.model_copy(update={"evaluations": (*self.state.evaluations, queued)})

    def outcome(self, success, failure):
        if self.is_unlucky():
            return failure(reason="ours", fault=Fault.PLATFORM)
        return failure(reason="theirs", fault=Fault.MINER) if self.random.random() < 0.2 else success

    def with_outcome(self, done, outcome, room: str) -> TournamentState:
        finished = done.model_copy(update={"status": WorkStatus.DONE, "outcome": outcome})
        return self.state.model_copy(
            update={room: tuple(finished if item is done else item for item in getattr(self.state, room))}
        )

    def decide(self, cause: HaltCause, reason: str) -> TournamentState:
        """The operator tries again, accepts what may be accepted, or lets the deadline pass."""
        halted = Halted(cause=cause, decide_by_block=self.block + self.rules.patience_blocks)
        waiting = ended(self.state, TournamentStatus.HALTED, halted=halted, reason=reason)
        assert next_step(waiting, self.block + self.rules.patience_blocks - 1, self.rules) is None
        match self.random.choice(["again", "again", "accept", "accept", "silence"]):
            case "silence":
                self.block += self.rules.patience_blocks
                return waiting
            case "accept" if cause is HaltCause.FAILURES:
                return accepted(self.state)
            case _:
                return self.tried_again()

    def tried_again(self) -> TournamentState:
        """What failed by our fault in the playing round is open again."""
        round_ = next(r for r in self.state.rounds if r.status is RoundStatus.PLAYING)
        ids = {c.challenge_id for c in self.state.challenges if c.round_id == round_.plan.round_id}
        planned = {"status": ChallengeStatus.PLANNED, "reason": None}
        again = {"status": WorkStatus.QUEUED, "outcome": None}

        def is_ours(item) -> bool:
            return item.challenge_id in ids and getattr(item.outcome, "fault", None) is Fault.PLATFORM

        return self.state.model_copy(
            update={
                "challenges": tuple(
                    c.model_copy(update=planned) if c.status is ChallengeStatus.FAILED else c
                    for c in self.state.challenges
                ),
                "trainings": tuple(t.model_copy(update=again) if is_ours(t) else t for t in self.state.trainings),
                "evaluations": tuple(e.model_copy(update=again) if is_ours(e) else e for e in self.state.evaluations),
            }
        )


@settings(max_examples=40)
@given(st.sampled_from(STRUCTURES), st.integers(0, 20), st.integers(0, 30), st.randoms(use_true_random=False))
def test_every_tournament_ends_whatever_fails_and_whoever_decides(rules, count, misfortunes, random):
    collecting = builders.tournament(rules=rules.model_dump(mode="json"))
    entries = [*builders.entries(count), builders.refused_entry(99)]
    world = World(TournamentState(tournament=collecting, entries=tuple(entries)), rules, random, misfortunes)
    state = world.live()
    assert state.tournament.status in (TournamentStatus.FINISHED, TournamentStatus.CANCELLED)
    if state.tournament.status is TournamentStatus.FINISHED:
        entered = {e.hotkey for e in state.entries if e.status is EntryStatus.ACCEPTED}
        assert state.tournament.title.winner in {state.tournament.champion.hotkey, *entered}
        assert all(training.status is WorkStatus.DONE for training in state.trainings)
        assert all(round_.status is RoundStatus.CLOSED for round_ in state.rounds)
    else:
        assert count == 0 or world.suffered
