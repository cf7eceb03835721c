"""What the flow gathers from the rows, and that the same facts set weights once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.ids import CHAMPION, MIRROR, Coldkey, Contestant, Hotkey
from core.tournament import TournamentKind, TournamentState, TournamentStatus
from flows.weights import set_weights
from gateways.memory import MemoryChain, MemoryCompute, memory_ports
from gateways.memory.world import TournamentRow, World, utc_now
from gateways.settings import ChainSettings
from gateways.wiring import ports, use_ports
from tests import builders
from tests.tournament import states
from tournament import weights
from tournament.evidence import Evidence
from tournament.rules import CALIBRATED_IMAGE, CALIBRATED_TEXT, CLASSIC_IMAGE, DEMO, Emission

pytestmark = pytest.mark.prefect

TEXT, IMAGE = TournamentKind.TEXT, TournamentKind.IMAGE
PODIUM, CLASSIC = CALIBRATED_TEXT.emission, DEMO.emission
BURN = Hotkey(ChainSettings().burn_hotkey)


@pytest.fixture
def chain() -> MemoryChain:
    """The burn hotkey and five miners are registered."""
    chain = MemoryChain(weights_rate_limit=0)
    chain.register(BURN, Coldkey("burn"), 0)
    for number in range(1, 6):
        chain.register(builders.hotkey(number), builders.coldkey(number), 0)
    return chain


@pytest.fixture
def world(inline: Path, chain: MemoryChain) -> Iterator[World]:
    """Rows without a tournament."""
    world = World()
    compute = MemoryCompute(lambda *_: None, inline)  # type: ignore[arg-type,return-value]
    with use_ports(memory_ports(compute, world=world, chain=chain)):
        yield world


def state_of(number: int, entrants: int, emission: Emission, kind: TournamentKind = TEXT) -> TournamentState:
    """A tournament that miner 1 wins and miner 2 comes closest in; its rules differ from `demo` by the emission."""
    rules = DEMO.model_copy(update={"emission": emission})
    skill = {Contestant(builders.hotkey(miner)): 1 + miner / 10 for miner in range(1, entrants + 1)}
    opened = states.active(builders.entries(entrants), rules, number=number, kind=kind)
    return states.play(opened, rules, states.by_skill({**skill, CHAMPION: 2.0, MIRROR: 2.0}))


def keep(world: World, state: TournamentState, days_ago: float | None) -> None:
    """Write the rows of a tournament; None: it is still under way."""
    finished_at = None if days_ago is None else utc_now() - timedelta(days=days_ago)
    tournament = state.tournament.model_copy(update={"finished_at": finished_at})
    world.tournaments[tournament.tournament_id] = TournamentRow(
        tournament=tournament,
        entries=state.entries,
        rounds={round_.plan.round_id: round_ for round_ in state.rounds},
        results={result.round_id: [result] for result in state.results},
    )
    world.challenges.update({challenge.challenge_id: challenge for challenge in state.challenges})
    world.trainings.update({training.training_id: training for training in state.trainings})
    world.evaluations.update({evaluation.evaluation_id: evaluation for evaluation in state.evaluations})


def under_way(number: int, entrants: int) -> TournamentState:
    return states.active(builders.entries(entrants), DEMO, number=number)


def published() -> Evidence:
    """Of the weights that were last set."""
    setting = ports().weights.latest()
    assert setting is not None and setting.block_number is not None
    evidence = Evidence.model_validate_json(ports().artifacts.get_bytes(setting.evidence))
    assert weights.of(evidence) == setting.weights
    return evidence


def test_nothing_is_set_before_a_tournament_is_finished(world: World) -> None:
    keep(world, under_way(1, entrants=3), days_ago=None)
    assert set_weights() is None and ports().weights.latest() is None


def test_the_same_facts_set_weights_once_however_much_time_passes(world: World, chain: MemoryChain) -> None:
    keep(world, state_of(1, 3, PODIUM), days_ago=1)
    first = set_weights()
    keep(world, state_of(1, 3, PODIUM), days_ago=6.9)
    assert first is not None and set_weights() == first
    assert len(world.weight_settings) == len(chain.receipts) == 1


def test_the_runner_ups_days_are_a_fact_that_changes_once(world: World) -> None:
    keep(world, state_of(1, 3, PODIUM), days_ago=1)
    set_weights()
    assert published().tournaments[0].runner_up_is_paid
    keep(world, state_of(1, 3, PODIUM), days_ago=7.1)
    late = set_weights()
    assert not published().tournaments[0].runner_up_is_paid
    keep(world, state_of(1, 3, PODIUM), days_ago=30)
    assert set_weights() == late


def test_the_chain_follows_who_joins_the_subnet(world: World, chain: MemoryChain) -> None:
    """The former champion's second place is burned until its hotkey is registered."""
    keep(world, state_of(1, 3, PODIUM), days_ago=1)
    first = set_weights()
    uid = chain.register(builders.champion().hotkey, builders.coldkey(900), 0)
    assert set_weights() == first
    before, after = (receipt.weights for receipt in chain.receipts)
    assert uid not in before and after[uid] == pytest.approx(65535 / 4, abs=1)


def test_facts_that_come_back_bring_their_weights_back(world: World, chain: MemoryChain) -> None:
    """Whoever played in a tournament that is cancelled is paid no longer."""
    keep(world, state_of(1, 2, CLASSIC), days_ago=1)
    first = set_weights()
    keep(world, under_way(2, entrants=3), days_ago=None)
    assert set_weights() != first
    keep(world, states.ended(under_way(2, entrants=3), TournamentStatus.CANCELLED), days_ago=None)
    assert set_weights() == first
    assert [receipt.weights for receipt in chain.receipts] == [
        chain.receipts[0].weights,
        chain.receipts[1].weights,
        chain.receipts[0].weights,
    ]
    assert chain.receipts[0].weights != chain.receipts[1].weights


def test_podium_is_given_former_entrants_and_unplayed_kinds(world: World) -> None:
    """The newest tournament does not count itself, and four are enough."""
    for number, entrants in enumerate((5, 2, 3, 4, 3, 5), start=1):
        keep(world, state_of(number, entrants, PODIUM), days_ago=10 - number)
    keep(world, under_way(7, entrants=3), days_ago=None)
    set_weights()
    evidence = published()
    (newest,) = evidence.tournaments
    assert (newest.tournament_id, newest.entrants_before, newest.streak) == ("text-0006", (3, 4, 3, 2), 6)
    assert (evidence.policy, evidence.participants) == ("podium/1", ())
    assert evidence.unplayed == {IMAGE: CALIBRATED_IMAGE.emission}


def test_classic_is_given_who_still_plays(world: World) -> None:
    keep(world, state_of(1, 2, CLASSIC), days_ago=1)
    keep(world, under_way(2, entrants=3), days_ago=None)
    set_weights()
    evidence = published()
    assert (evidence.policy, evidence.tournaments[0].entrants_before) == ("classic/1", ())
    assert evidence.participants == tuple(sorted(builders.hotkey(miner) for miner in (1, 2, 3)))
    assert evidence.unplayed == {IMAGE: CLASSIC_IMAGE.emission}


def test_the_last_finished_tournament_says_which_policy_is_in_force(world: World) -> None:
    keep(world, state_of(1, 3, CLASSIC), days_ago=2)
    keep(world, state_of(1, 3, CALIBRATED_IMAGE.emission, IMAGE), days_ago=1)
    set_weights()
    evidence = published()
    assert evidence.policy == "podium/1"
    assert {t.kind: t.emission for t in evidence.tournaments} == {TEXT: PODIUM, IMAGE: CALIBRATED_IMAGE.emission}
