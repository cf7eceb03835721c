"""What our side fails costs nobody a place: it is recorded, done again or accepted, or the tournament is cancelled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

from core.challenge import Catalogue, ChallengeStatus
from core.compute import BuildFailure, Ending
from core.errors import Fault
from core.evaluation import Refused
from core.ids import Contestant, TournamentId, TrainingId, challenge_id, group_id, round_id, training_id
from core.tournament import HaltCause, RoundStatus, TournamentKind, TournamentState, TournamentStatus
from core.training import TrainingFailed
from flows.opening import open_tournament
from flows.sweep import sweep
from flows.tournament import run_tournament
from gateways import wiring
from gateways.memory import MemoryCompute
from gateways.wiring import use_ports
from tasks import dispatch
from tests import builders
from tests.flows.play import DATASET, ROWS, Play
from tournament import rules

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

ID = TournamentId("text-0001")
HASTY = rules.DEMO.model_copy(update={"name": "hasty/1", "platform_attempts": 2, "patience_blocks": 1000})
PAIR = {0: "2.0", 1: "1.0", 2: "1.5"}
"""The miners 1 and 2 meet; 0 is the champion."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.NAMED, "hasty", {TournamentKind.TEXT: HASTY})


@pytest.fixture
def play(inline: Path) -> Iterator[Play]:
    play = Play(inline, PAIR)
    with use_ports(play.ports):
        yield play


def opened(play: Play) -> TournamentState:
    """After the first flow run of a tournament."""
    open_tournament(rules="hasty", first_champion=builders.hotkey(0))
    return play.ports.tournaments.load(ID)


def swept(play: Play) -> TournamentState:
    sweep()
    return play.ports.tournaments.load(ID)


def training_of(number: int, round_number: int = 1) -> TrainingId:
    """Of a miner, in a round of one group."""
    challenge = challenge_id(group_id(round_id(ID, round_number), 1), 1)
    return training_id(challenge, Contestant(builders.hotkey(number)))


def lose(play: Play, *works: str) -> None:
    """Both attempts at each."""
    play.compute.endings.update({f"{work}-a{number}": Ending.LOST for work in works for number in (1, 2)})


def winner(state: TournamentState) -> str:
    assert state.tournament.status is TournamentStatus.FINISHED and state.tournament.title is not None
    return state.tournament.title.winner


def test_who_has_no_result_by_our_fault_is_not_eliminated(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that we cannot build, a lost training, a lost evaluation: the pair meets again each time."""
    monkeypatch.setattr(play.compute, "build", failing_once(play.compute))
    lose(play, training_of(1, round_number=2), f"{training_of(2, round_number=3)}-e1")
    state = opened(play)
    assert winner(state) == builders.hotkey(1)
    assert [len(round_.plan.groups[0].members) for round_ in state.rounds] == [2, 2, 2, 2, 2]
    outcomes = {training.training_id: training.outcome for training in state.trainings}
    unbuilt = [o for o in (outcomes[training_of(1)], outcomes[training_of(2)]) if isinstance(o, TrainingFailed)]
    assert unbuilt == [TrainingFailed(reason="build failed: the engine is away", fault=Fault.PLATFORM)]
    lost = outcomes[training_of(1, round_number=2)]
    assert isinstance(lost, TrainingFailed) and lost.fault is Fault.PLATFORM and "too often" in lost.reason
    measured = {e.training_id: e for e in state.evaluations}[training_of(2, round_number=3)]
    assert isinstance(measured.outcome, Refused) and measured.outcome.fault is Fault.PLATFORM
    assert (measured.report, len(measured.attempts)) == (None, 2)
    check_our_faults_are_told()


def failing_once(compute: MemoryCompute) -> object:
    build, failures = compute.build, [BuildFailure(reason="the engine is away", fault=Fault.PLATFORM)]
    return lambda *arguments: failures.pop() if failures else build(*arguments)


def check_our_faults_are_told() -> None:
    """Whoever looks at Prefect's runs finds what our side failed, by state and by tag."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=["fault:platform"])))
    told = {(run.state_name, run.state is not None and run.state.is_failed(), run.name.split("-")[0]) for run in runs}
    assert told == {("PlatformFault", True, "train"), ("PlatformFault", True, "evaluate")}


def halted(play: Play) -> TournamentState:
    """Both trainings of the first round are lost."""
    lose(play, training_of(1), training_of(2))
    state = opened(play)
    assert state.tournament.halted is not None and state.tournament.halted.cause is HaltCause.FAILURES
    return state


def test_a_round_that_our_side_failed_waits_for_the_operator_and_is_played_again(play: Play) -> None:
    """It ends as if nothing had been, and what happened stays on record."""
    state = halted(play)
    assert state.tournament.status is TournamentStatus.HALTED and "2 of the 2 trainings" in str(state.tournament.reason)
    assert swept(play) == state, "the sweep leaves it to the operator"
    play.ports.tournaments.resume(ID)
    state = swept(play)
    assert winner(state) == builders.hotkey(1) and len(state.rounds) == 2
    attempts = {training.training_id: training.attempts for training in state.trainings}[training_of(1)]
    assert [attempt.fault for attempt in attempts] == [Fault.PLATFORM] * 2 + [None]


def test_failures_can_be_accepted(play: Play) -> None:
    halted(play)
    play.ports.tournaments.resume(ID, accept=True)
    state = swept(play)
    assert winner(state) == builders.hotkey(1)
    assert [round_.failures_accepted for round_ in state.rounds] == [True, False, False], "the pair met again"
    assert {standing.fault for standing in state.results[0].standings} == {Fault.PLATFORM}


def test_when_nobody_decides_in_time_it_is_cancelled(play: Play) -> None:
    state = halted(play)
    assert state.tournament.halted is not None
    play.chain.advance(HASTY.patience_blocks)
    cancelled = swept(play)
    assert cancelled.tournament.status is TournamentStatus.CANCELLED
    assert str(state.tournament.halted.decide_by_block) in str(cancelled.tournament.reason)
    assert play.ports.tournaments.open_ids() == []


def test_flow_runs_that_bring_nothing_about_halt_the_tournament(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every flow run that is sent to the work pool ended without an outcome."""
    terms = {"rules": HASTY.model_dump(mode="json"), "opened_block": 0, "closing_block": play.chain.block_number()}
    play.ports.tournaments.open(builders.tournament(**terms))
    monkeypatch.setattr(dispatch, "DISPATCHES", 0)
    monkeypatch.setenv("GOD_DISPATCH__MODE", "deployments")
    wiring.settings.cache_clear()
    run_tournament(ID)
    state = play.ports.tournaments.load(ID)
    assert state.tournament.halted is not None and state.tournament.halted.cause is HaltCause.PLATFORM
    assert "ended without an outcome" in str(state.tournament.reason)
    assert {training.outcome for training in state.trainings} == {None}


def test_a_challenge_that_cannot_be_prepared_is_drawn_anew_before_the_operator_is_asked(play: Play) -> None:
    play.hub.add_dataset(DATASET, ROWS[:5])
    state = opened(play)
    assert state.tournament.halted is not None and state.tournament.halted.cause is HaltCause.PREPARATION
    (challenge,) = state.challenges
    assert (challenge.status, challenge.plan.replacement) == (ChallengeStatus.FAILED, HASTY.replacements)
    replaced = [event for event in play.ports.events.since(0) if event["event"] == "replaced"]
    assert [event["details"]["replacement"] for event in replaced] == [1, 2, 3]
    play.hub.add_dataset(DATASET, ROWS)
    play.ports.tournaments.resume(ID)
    state = swept(play)
    assert winner(state) == builders.hotkey(1)
    assert state.rounds[0].status is RoundStatus.CLOSED
    assert state.challenges[0].plan.replacement == HASTY.replacements


def test_a_hub_that_cannot_serve_waits_for_the_operator(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bare:
        bare.setattr(play.ports.hub, "catalogue", lambda: Catalogue(models=(), datasets=()))
        state = opened(play)
    assert state.tournament.halted is not None and state.tournament.halted.cause is HaltCause.PREPARATION
    assert "no model" in str(state.tournament.reason) or "no dataset" in str(state.tournament.reason)
    play.ports.tournaments.resume(ID)
    assert winner(swept(play)) == builders.hotkey(1)
