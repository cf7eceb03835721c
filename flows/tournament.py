"""Carry a tournament from its entries to its champion."""

from typing import assert_never

from prefect import flow, get_run_logger
from prefect.futures import wait

from core.chain import Commitment
from core.challenge import ChallengeStatus
from core.errors import HostUnreachableError, LeaseHeldError
from core.ids import TournamentId, round_id
from core.tournament import TournamentKind, TournamentState, TournamentStatus
from flows.challenge import prepare_challenge
from flows.evaluation import evaluate
from flows.training import train
from flows.weights import set_weights
from tasks.chain import await_block, block_hash, commitments, current_block, metagraph
from tasks.challenges import catalogue
from tasks.contestants import carry
from tasks.dispatch import DispatchExhaustedError, start_flow
from tasks.leases import lease
from tasks.registration import FetchedEntry, fetch_entry
from tasks.telling import tell_bracket, tell_entries, tell_event, tell_standings, tell_title
from tasks.tournaments import (
    cancel_tournament,
    halt_tournament,
    load_tournament,
    record_crown,
    record_entries,
    record_result,
    record_round,
)
from tournament.eligibility import EntryFacts, judge_entries
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
    Step,
    next_step,
)
from tournament.programme import draw_round
from tournament.ranking import close_round
from tournament.rules import TournamentRules
from tournament.title import crown

LEASE_SECONDS = 30 * 24 * 3600.0


@flow(name="run-tournament", flow_run_name="tournament-{tournament_id}")
def run_tournament(tournament_id: str) -> None:
    """Carry a tournament to its end; killed at any line, it can simply be run again. A second start gives way."""
    id_ = TournamentId(tournament_id)
    try:
        with lease(id_, slots=0, seconds=LEASE_SECONDS):
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
        take(step, state, rules)
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
            record_round(id_, draw_round(state, number, rules, catalogue()))
            tell_bracket(load_tournament(id_))
        case PrepareRound():
            prepare_round(state)
        case PlayRound(number):
            play_round(id_, number)
        case CloseRound(number):
            conclude_round(state, number, rules)
        case Crown():
            title = crown(state, rules)
            record_crown(id_, title)
            tell_title(id_, title)
        case Halt(reason):
            halt_tournament(id_, reason)
            tell_event("god.tournament.halted", f"god.tournament.{id_}")
        case _:
            assert_never(step)


def collect_entries(state: TournamentState, closing_block: int, rules: TournamentRules) -> None:
    """Judge everybody who had committed an entry by the closing block; its hash becomes the seed."""
    tournament = state.tournament
    neurons = {neuron.hotkey: neuron for neuron in metagraph(tournament.netuid).neurons}
    committed = [c for c in commitments(tournament.netuid, closing_block) if c.hotkey in neurons]
    facts = [
        EntryFacts(
            hotkey=commitment.hotkey,
            coldkey=neurons[commitment.hotkey].coldkey,
            stake_rao=neurons[commitment.hotkey].stake_rao,
            payload=commitment.payload,
            registered_block=commitment.block_number,
            **fetched.model_dump(),
        )
        for commitment, fetched in fetch_entries(committed, tournament.kind)
    ]
    entries = judge_entries(facts, tournament.champion, rules)
    record_entries(tournament.tournament_id, entries, block_hash(closing_block))
    tell_entries(tournament.tournament_id, entries)


def fetch_entries(committed: list[Commitment], kind: TournamentKind) -> list[tuple[Commitment, FetchedEntry]]:
    """Fetch them side by side. One host that never answers refuses its entry; when none answers, it is our network."""
    runs = [fetch_entry.submit(commitment, kind) for commitment in committed]
    results: list[FetchedEntry | BaseException | None] = [run.result(raise_on_failure=False) for run in runs]
    errors = [result for result in results if isinstance(result, BaseException)]
    ours = [error for error in errors if not isinstance(error, HostUnreachableError)]
    if ours or (errors and len(errors) == len(results)):
        raise (ours or errors)[0]
    fetched = [unanswered(result) if isinstance(result, BaseException) else result for result in results]
    return [(c, entry) for c, entry in zip(committed, fetched, strict=True) if entry is not None]


def unanswered(error: BaseException) -> FetchedEntry:
    return FetchedEntry(refusal=f"the repository's host did not answer in time, while others did: {error}")


def prepare_round(state: TournamentState) -> None:
    """Prepare the challenges that are not ready."""
    for challenge in state.challenges:
        if challenge.status is ChallengeStatus.PLANNED:
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
        halt_tournament(id_, str(exhausted))


def conclude_round(state: TournamentState, number: int, rules: TournamentRules) -> None:
    round_ = next(r for r in state.rounds if r.plan.number == number)
    result = close_round(state, round_, rules)
    record_result(result)
    tell_standings(result)
    tell_bracket(load_tournament(state.tournament.tournament_id))
