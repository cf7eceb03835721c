"""Whole tournament states made by playing the rules against stated values, without any store."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from hypothesis import strategies as st

from core.challenge import Catalogue, Challenge, ChallengeKind, ChallengeStatus
from core.errors import Fault
from core.evaluation import Evaluation, Refused, Scored
from core.ids import CHAMPION, MIRROR, Contestant, evaluation_id, training_id
from core.tournament import (
    Entry,
    HaltCause,
    Round,
    RoundPlan,
    RoundStatus,
    Tournament,
    TournamentState,
    TournamentStatus,
)
from core.training import Trained, TrainingFailed, WorkStatus
from tests import builders
from tournament.lifecycle import (
    Cancel,
    CloseRound,
    Crown,
    DrawRound,
    Halt,
    PlayRound,
    PrepareRound,
    Step,
    next_step,
)
from tournament.programme import draw_round
from tournament.ranking import close_round
from tournament.results import Examples
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, PooledTitle, TournamentRules
from tournament.title import crown

Loss = float | Scored | str
"""A value, or why there is none: `refused: …` after an evaluation, anything else after a training.

`ours: …` and `ours, refused: …` are our own fault.
"""
Losses = Callable[[Contestant, str], Loss]
CATALOGUE = Catalogue(models=(builders.model(),), datasets=(builders.dataset(),))
VALUES = st.integers(100_000, 5_000_000).map(lambda millionths: millionths / 10**6)
"""Losses (or scores) that differ by more than a merit's last place, or not at all."""
TEXT_KINDS = (ChallengeKind.INSTRUCT, ChallengeKind.DPO, ChallengeKind.GRPO)
EVERYTHING = Catalogue(
    models=(builders.model("big", parameters=30 * 10**9), builders.model("small", parameters=10**9)),
    datasets=tuple(builders.dataset(kind.value, kind=kind, rows=30_000) for kind in TEXT_KINDS),
)
"""What the shipped rules for text can ask for."""


def all_of(kind: ChallengeKind, rules: TournamentRules) -> TournamentRules:
    """The rules' structure with challenges of one kind, measured without regard to who else plays."""
    kinds = {"group_kind": kind, "knockout_kinds": {kind: Decimal(1)}, "title_kinds": (kind,) * 6}
    return rules.model_copy(update={**kinds, "minimum_entrants": 1, "cohort_rewards": False})


DUEL = CALIBRATED_TEXT.model_copy(update={"title": PooledTitle(alpha=Decimal("0.0019178"), duel=True)})
STRUCTURES = [
    all_of(kind, rules) for rules in (CLASSIC_TEXT, DUEL) for kind in (ChallengeKind.INSTRUCT, ChallengeKind.GRPO)
]
"""Both named structures, with losses and with scores."""


def active(entries: list[Entry], rules: TournamentRules, seed: str = "5e" * 32, **changes: object) -> TournamentState:
    """A tournament whose entries are closed."""
    tournament = builders.tournament(
        status=TournamentStatus.ACTIVE, seed=seed, rules=rules.model_dump(mode="json"), **changes
    )
    return TournamentState(tournament=tournament, entries=tuple(entries))


def play(
    state: TournamentState,
    rules: TournamentRules,
    losses: Losses,
    *,
    catalogue: Catalogue = CATALOGUE,
    examples: Examples | None = None,
    until: Step | None = None,
) -> TournamentState:
    """Take every step that the rules ask for, up to the one that is named or until nothing is left to do.

    An operator who is asked accepts our failures.
    """
    for _ in range(200):
        step = next_step(state, 10**6, rules)
        if step == until:
            return state
        match step:
            case DrawRound(number):
                state = with_round(state, draw_round(state, number, rules, catalogue))
            case PrepareRound():
                state = prepared(state)
            case PlayRound():
                state = played(state, losses)
            case CloseRound(number):
                state = closed(state, number, rules, examples)
            case Crown():
                state = ended(state, TournamentStatus.FINISHED, title=crown(state, rules, examples or {}))
            case Halt(cause=HaltCause.FAILURES):
                state = accepted(state)
            case Cancel(reason):
                state = ended(state, TournamentStatus.CANCELLED, reason=reason)
            case _:
                raise AssertionError(f"unexpected {step}")
    raise AssertionError("the tournament has no end")


def with_round(state: TournamentState, plan: RoundPlan) -> TournamentState:
    """What the store writes for a drawn round."""
    planned, trainings = [], []
    for group in plan.groups:
        for challenge in group.challenges:
            planned.append(
                Challenge(
                    plan=challenge,
                    tournament_id=state.tournament.tournament_id,
                    round_id=plan.round_id,
                    group_id=group.group_id,
                    status=ChallengeStatus.PLANNED,
                )
            )
            for member in group.members:
                hotkey = state.tournament.champion.hotkey if member in (CHAMPION, MIRROR) else member
                id_ = training_id(challenge.challenge_id, member)
                trainings.append(
                    builders.training(challenge.challenge_id, training_id=id_, contestant=member, hotkey=hotkey)
                )
    return state.model_copy(
        update={
            "rounds": (*state.rounds, Round(plan=plan, status=RoundStatus.PLAYING)),
            "challenges": (*state.challenges, *planned),
            "trainings": (*state.trainings, *trainings),
        }
    )


def prepared(state: TournamentState) -> TournamentState:
    ready = {"status": ChallengeStatus.READY, "data": builders.challenge_data()}
    return state.model_copy(update={"challenges": tuple(c.model_copy(update=ready) for c in state.challenges)})


def played(state: TournamentState, losses: Losses) -> TournamentState:
    """Every open training gets its outcome, and every checkpoint its evaluation."""
    trainings, evaluations = [], list(state.evaluations)
    for training in state.trainings:
        if training.status is WorkStatus.DONE:
            trainings.append(training)
            continue
        loss = losses(training.contestant, training.challenge_id)
        is_failed = isinstance(loss, str) and not loss.startswith(("refused", "ours, refused"))
        outcome = TrainingFailed(reason=str(loss), fault=_fault(loss)) if is_failed else builders.trained()
        trainings.append(training.model_copy(update={"status": WorkStatus.DONE, "outcome": outcome}))
        if isinstance(outcome, Trained):
            evaluations.append(_measured(training.training_id, training.challenge_id, loss))
    return state.model_copy(update={"trainings": tuple(trainings), "evaluations": tuple(evaluations)})


def _fault(loss: Loss) -> Fault:
    return Fault.PLATFORM if str(loss).startswith("ours") else Fault.MINER


def _measured(training: str, challenge: str, loss: Loss) -> Evaluation:
    match loss:
        case str():
            outcome: Refused | Scored = Refused(reason=loss, fault=_fault(loss))
        case Scored():
            outcome = loss
        case _:
            outcome = builders.scored(loss)
    return builders.evaluation(
        training,
        challenge,
        evaluation_id=evaluation_id(training, 1),
        status=WorkStatus.DONE,
        outcome=outcome,
    )


def accepted(state: TournamentState) -> TournamentState:
    """The operator lets the last round close although our side failed at most of its trainings."""
    *earlier, last = state.rounds
    return state.model_copy(update={"rounds": (*earlier, last.model_copy(update={"failures_accepted": True}))})


def closed(
    state: TournamentState, number: int, rules: TournamentRules, examples: Examples | None = None
) -> TournamentState:
    rounds = [
        r.model_copy(update={"status": RoundStatus.CLOSED}) if r.plan.number == number else r for r in state.rounds
    ]
    result = close_round(state, state.rounds[number - 1], rules, examples or {})
    return state.model_copy(update={"rounds": tuple(rounds), "results": (*state.results, result)})


def ended(state: TournamentState, status: TournamentStatus, **changes: object) -> TournamentState:
    tournament: Tournament = state.tournament.model_copy(update={"status": status, **changes})
    return state.model_copy(update={"tournament": tournament})


def by_skill(skill: Mapping[Contestant, Loss]) -> Losses:
    """Everybody reaches the same value on every challenge; the mirror what the champion does."""
    return lambda contestant, _: skill[CHAMPION if contestant == MIRROR else contestant]
