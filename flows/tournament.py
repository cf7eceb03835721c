"""Carry a tournament from its entries to its champion."""

from typing import assert_never

from prefect import flow, get_run_logger
from prefect.futures import wait

from core.challenge import ChallengeStatus
from core.errors import LeaseHeldError
from core.ids import TournamentId, round_id
from core.tournament import HaltCause, TournamentState, TournamentStatus
from flows.challenge import prepare_challenge
from flows.entries import collect_entries
from flows.evaluation import evaluate
from flows.training import train
from flows.verdicts import standings_of, title_of
from flows.weights import set_weights
from tasks.chain import await_block, current_block
from tasks.challenges import catalogue
from tasks.contestants import carry
from tasks.dispatch import DispatchExhaustedError, start_flow
from tasks.leases import exclusion
from tasks.telling import tell_bracket, tell_event, tell_standings, tell_title
from tasks.tournaments import (
    cancel_tournament,
    halt_tournament,
    load_tournament,
    record_crown,
    record_result,
    record_round,
    replan_challenge,
)
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
from tournament.programme import UnservedError, draw_round, replacement
from tournament.rounds import last_result
from tournament.rules import TournamentRules


@flow(name="run-tournament", flow_run_name="tournament-{tournament_id}")
def run_tournament(tournament_id: str) -> None:
    """Carry a tournament to its end; killed at any line, it can simply be run again. A second start gives way."""
    id_ = TournamentId(tournament_id)
    try:
        with exclusion(id_):
            play(id_)
    except LeaseHeldError as held:
        get_run_logger().info("another flow run carries tournament %s: %s", id_, held)


def play(id_: TournamentId) -> None:
    """Step by step to the end; a finished tournament's standings go on to the chain."""
    while True:
        state = load_tournament(id_)
        rules = TournamentRules.model_validate(state.tournament.rules)
        step = next_step(state, current_block(), rules)
        if step is None:
            break
        get_run_logger().info("%s: %s", id_, step)
        try:
            take(step, state, rules)
        except UnservedError as error:
            halt(id_, HaltCause.PREPARATION, str(error), rules)
    if state.tournament.status is TournamentStatus.FINISHED:
        start_flow(set_weights, {}, f"{id_}/weights")


def take(step: Step, state: TournamentState, rules: TournamentRules) -> None:
    """Do the one thing that the rules say comes next."""
    id_ = state.tournament.tournament_id
    match step:
        case AwaitBlock(block_number):
            await_block(block_number)
        case CollectEntries(closing_block):
            collect_entries(state, closing_block, rules)
        case Cancel(reason):
            cancel_tournament(id_, reason)
        case DrawRound(number):
            record_round(id_, draw_round(state, number, rules, catalogue()), last_result(state))
            tell_bracket(load_tournament(id_))
        case PrepareRound(number):
            prepare_round(state, number)
        case ReplaceChallenge(challenge_id):
            replan_challenge(challenge_id, replacement(state, challenge_id, rules, catalogue()))
        case PlayRound(number):
            play_round(id_, number)
        case CloseRound(number):
            conclude_round(state, number, rules)
        case Crown():
            title = title_of(state, rules)
            record_crown(id_, title, last_result(state))
            tell_title(id_, title)
        case Halt(cause, reason):
            halt(id_, cause, reason, rules)
        case _:
            assert_never(step)


def halt(id_: TournamentId, cause: HaltCause, reason: str, rules: TournamentRules) -> None:
    """Wait for an operator, as long as the rules have patience; the sweep ends it then."""
    halt_tournament(id_, cause, reason, current_block() + rules.patience_blocks)
    tell_event("god.tournament.halted", f"god.tournament.{id_}")


def prepare_round(state: TournamentState, number: int) -> None:
    """Prepare the challenges that are not ready."""
    of_round = round_id(state.tournament.tournament_id, number)
    for challenge in state.challenges:
        if challenge.round_id == of_round and challenge.status is ChallengeStatus.PLANNED:
            prepare_challenge(challenge.plan, state.tournament.rules)


@flow(name="play-round", flow_run_name="{id_}-round-{number}")
def play_round(id_: TournamentId, number: int) -> None:
    """Train and evaluate every contestant of the round who has no outcome yet."""
    state = load_tournament(id_)
    challenges = {c.challenge_id for c in state.challenges if c.round_id == round_id(id_, number)}
    trainings = [t for t in state.trainings if t.challenge_id in challenges]
    runs = [carry.submit(training.training_id, train, evaluate) for training in trainings]
    wait(runs)
    try:
        for run in runs:
            run.result()
    except DispatchExhaustedError as exhausted:
        halt(id_, HaltCause.PLATFORM, str(exhausted), TournamentRules.model_validate(state.tournament.rules))


def conclude_round(state: TournamentState, number: int, rules: TournamentRules) -> None:
    result = standings_of(state, number, rules)
    record_result(result)
    tell_standings(result)
    tell_bracket(load_tournament(state.tournament.tournament_id))
