"""A small finished tournament: four entrants, a group round, a title match."""

from core.compute import Ending
from core.errors import Fault
from core.evaluation import Evaluation, EvaluationOutcome
from core.ids import CHAMPION, Contestant, challenge_id, group_id, round_id, training_id
from core.tournament import (
    Round,
    RoundResult,
    RoundStatus,
    RoundType,
    Standing,
    TitleChallenge,
    TournamentState,
    TournamentStatus,
)
from core.training import Attempt, Training, WorkStatus
from tests import builders as b

GROUP = challenge_id(group_id(round_id(b.TEXT_1, 1), 1), 1)
TITLE = challenge_id(group_id(round_id(b.TEXT_1, 2), 1), 1)


def attempt(
    subject: str, slot: str | None = "slot/local/0", started: float | None = None, ended: float | None = None
) -> Attempt:
    return Attempt(
        subject_id=subject,
        number=1,
        instance="local",
        slot=slot,
        begun_at=b.at(0),
        started_at=None if started is None else b.at(started),
        ended_at=None if ended is None else b.at(ended),
        ending=None if ended is None else Ending.FINISHED,
        log=b.artifact(b.ArtifactKind.LOG, subject),
    )


def trained(
    challenge: str, number: int, dispatched: float, started: float, ended: float, recorded: float, **changes: object
) -> Training:
    """Miner `number`'s finished training; 0 is the champion's code."""
    contestant = Contestant(b.hotkey(number)) if number else CHAMPION
    id_ = training_id(challenge, contestant)  # type: ignore[arg-type]
    fields = {
        "training_id": id_,
        "contestant": contestant,
        "status": WorkStatus.DONE,
        "dispatched_at": b.at(dispatched),
        "recorded_at": b.at(recorded),
        "attempts": (attempt(id_, "slot/local/0", started, ended),),
        "outcome": b.trained(id_),
    }
    return b.training(challenge, number or 900, **(fields | changes))  # type: ignore[arg-type]


def measured(
    training: Training, outcome: EvaluationOutcome, dispatched: float, started: float, ended: float, recorded: float
) -> Evaluation:
    id_ = f"{training.training_id}-e1"
    return b.evaluation(
        training.training_id,
        training.challenge_id,
        status=WorkStatus.DONE,
        dispatched_at=b.at(dispatched),
        recorded_at=b.at(recorded),
        attempts=(attempt(id_, "slot/local/0", started, ended),),
        outcome=outcome,
    )


def _group_round() -> Round:
    return Round(plan=b.round_plan(b.contestants(1, 2, 3)), status=RoundStatus.PLAYING)


def _title_round() -> Round:
    plan = b.round_plan(b.contestants(0, 1), number=2, type=RoundType.TITLE)
    return Round(plan=plan, status=RoundStatus.CLOSED)


def playing() -> TournamentState:
    """Round 1: miner 1 trains, miner 2 is evaluated, miner 3's script crashed, miner 4 was refused."""
    running = b.training(
        GROUP, 1, status=WorkStatus.RUNNING, attempts=(attempt("one", started=0),), dispatched_at=b.at(0)
    )
    done = trained(GROUP, 2, 0, 1, 21, 22)
    crashed = trained(GROUP, 3, 0, 1, 2, 3, outcome=b.training_failed("crashed: exit code 1\x1b[2J"))
    round_ = _group_round()
    return TournamentState(
        tournament=b.tournament(status=TournamentStatus.ACTIVE, seed=b.sha256("seed")),
        entries=(*b.entries(3), b.refused_entry(4, "the same code was entered earlier")),
        rounds=(round_,),
        challenges=tuple(b.challenge(plan) for plan in round_.plan.groups[0].challenges),
        trainings=(running, done, crashed),
        evaluations=(b.evaluation(done.training_id, GROUP),),
    )


def _standing(number: int, rank: int, loss: float | None, advances: bool, challenge: str, **why: object) -> Standing:
    group, _, _ = challenge.rpartition("-c")
    return Standing(
        group_id=group,  # type: ignore[arg-type]
        contestant=b.contestants(number)[0],
        rank=rank,
        value=loss,
        advances=advances,
        **why,  # type: ignore[arg-type]
    )


def finished() -> TournamentState:
    """Miner 1 took the title; 2 was worse, 3 crashed, 4 was refused. Two slots' worth of trainings on one slot."""
    one, two = trained(GROUP, 1, 0, 2, 22, 23), trained(GROUP, 2, 0, 25, 45, 46)
    crashed = trained(GROUP, 3, 0, 47, 48, 49, outcome=b.training_failed("crashed: exit code 1"))
    boss, rival = trained(TITLE, 0, 60, 61, 81, 82), trained(TITLE, 1, 60, 83, 103, 104)
    evaluations = (
        measured(one, b.scored(1.0), 49, 50, 52, 53),
        measured(two, b.scored(2.0), 53, 54, 56, 57),
        measured(boss, b.scored(1.5), 104, 105, 107, 108),
        measured(rival, b.scored(1.0), 108, 109, 111, 112),
    )
    first = Round(plan=_group_round().plan, status=RoundStatus.CLOSED)
    last = _title_round()
    results = (
        RoundResult(
            round_id=first.plan.round_id,
            number=1,
            standings=(
                _standing(1, 1, 1.0, True, GROUP),
                _standing(2, 2, 2.0, False, GROUP),
                _standing(3, 3, None, False, GROUP, reason="crashed: exit code 1", fault=Fault.MINER),
            ),
        ),
        RoundResult(
            round_id=last.plan.round_id,
            number=2,
            standings=(_standing(1, 1, 1.0, True, TITLE), _standing(0, 2, 1.5, False, TITLE)),
        ),
    )
    title = b.title_result(1).model_copy(update={"challenges": (_title_challenge(),)})
    return TournamentState(
        tournament=b.tournament(status=TournamentStatus.FINISHED, seed=b.sha256("seed"), title=title),
        entries=(*b.entries(3), b.refused_entry(4, "the same code was entered earlier")),
        rounds=(first, last),
        challenges=tuple(b.challenge(c) for r in (first, last) for g in r.plan.groups for c in g.challenges),
        trainings=(one, two, crashed, boss, rival),
        evaluations=evaluations,
        results=results,
    )


def _title_challenge() -> TitleChallenge:
    return TitleChallenge(
        challenge_id=TITLE, champion_value=1.5, challenger_value=1.0, winner=b.contestants(1)[0], why="by the margin"
    )
