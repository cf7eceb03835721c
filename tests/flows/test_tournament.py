"""Tournaments through the flows: from repository links to weights, and on to the next one."""

from pathlib import Path

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

from core.challenge import ChallengeKind
from core.compute import ContainerSpec, Ending
from core.errors import Fault
from core.evaluation import INSTRUCT_KL, EvaluationPurpose, EvaluationSpec, Scored
from core.ids import Contestant, TournamentId, challenge_id, evaluation_id, group_id, round_id, training_id
from core.tournament import EntryStatus, TournamentKind, TournamentState, TournamentStatus
from flows.opening import open_tournament
from flows.reevaluation import reevaluate
from flows.sweep import sweep
from gateways.wiring import use_ports
from tests import builders
from tests.flows.play import Play, train_or_evaluate
from tournament import weights
from tournament.evidence import Evidence
from tournament.rules import DEMO

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

MINERS = {0: "2.0", 1: "1.0", 2: "1.5", 3: "crash", 4: "base", 5: "1.0"}
"""0 is the first champion, 3 crashes, 4 hands the base back, 5 has the code of 1."""


def play_one(play: Play) -> TournamentState:
    id_ = open_tournament(rules="demo", first_champion=builders.hotkey(0))
    return play.ports.tournaments.load(TournamentId(id_))


def test_from_links_to_weights_and_on_to_the_next_tournament(inline: Path) -> None:
    play = Play(inline, MINERS)
    with use_ports(play.ports):
        first = play_one(play)
        check_first(first)
        check_faults_are_told()
        check_weights(play, first)
        check_nothing_is_done_twice(play)
        check_reevaluation(play, first, inline / "model")
        play.enter(6, "0.5")
        second = play_one(play)
        sweep()
    assert second.tournament.champion.hotkey == builders.hotkey(1)
    assert second.tournament.champion.won == first.tournament.tournament_id
    assert builders.hotkey(1) not in {entry.hotkey for entry in second.entries}
    assert second.tournament.title is not None and second.tournament.title.winner == builders.hotkey(6)
    check_weights(play, second)
    assert len(play.chain.receipts) == 2


def check_faults_are_told() -> None:
    """Whoever looks at Prefect's runs finds the two that a miner failed, by state and by tag."""
    with get_client(sync_client=True) as client:
        failed = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=["fault:miner"])))
    assert {(run.state_name, run.name.split("-")[0]) for run in failed} == {
        ("MinerFault", "train"),
        ("MinerFault", "evaluate"),
    }


def check_first(state: TournamentState) -> None:
    assert state.tournament.status is TournamentStatus.FINISHED
    entries = {entry.hotkey: entry for entry in state.entries}
    assert entries[builders.hotkey(5)].status is EntryStatus.REFUSED
    assert builders.hotkey(0) not in entries
    first_round = {s.contestant: s for s in state.results[0].standings}
    crashed, mirrored = (first_round[Contestant(builders.hotkey(i))] for i in (3, 4))
    assert crashed.value is None and crashed.fault is Fault.MINER and "crashed" in str(crashed.reason)
    assert mirrored.value is None and "not a fine-tune" in str(mirrored.reason)
    assert state.tournament.title is not None and state.tournament.title.winner == builders.hotkey(1)
    assert [challenge.challenger_value for challenge in state.tournament.title.challenges] == [1.0] * 3


def check_weights(play: Play, state: TournamentState) -> None:
    """On the chain, and derived from the published document alone."""
    setting = play.ports.weights.latest()
    assert setting is not None and setting.block_number is not None
    evidence = Evidence.model_validate_json(play.ports.artifacts.get_bytes(setting.evidence))
    assert weights.of(evidence) == setting.weights
    assert [t.tournament_id for t in evidence.tournaments] == [state.tournament.tournament_id]


def check_nothing_is_done_twice(play: Play) -> None:
    assert len(play.compute.ran) == len(set(play.compute.ran))
    assert play.compute.names() == [] and play.ports.leases.live_owners(30) == set()
    sweep()
    assert play.ports.tournaments.open_ids() == [] and len(play.chain.receipts) == 1


def check_reevaluation(play: Play, state: TournamentState, model: Path) -> None:
    """What was measured before comes out equal, in a row of its own; a model that nobody submitted gets a number."""
    challenge = challenge_id(group_id(round_id(state.tournament.tournament_id, 1), 1), 1)
    recorded = evaluation_id(training_id(challenge, Contestant(builders.hotkey(1))), 1)
    again = play.ports.evaluations.load(reevaluate(evaluation_id=recorded))
    assert again.repeats == recorded and again.purpose is EvaluationPurpose.REEVALUATION
    assert again.outcome == play.ports.evaluations.load(recorded).outcome
    model.mkdir()
    (model / "model.safetensors").write_text("0.25")
    foreign = play.ports.evaluations.load(reevaluate(model=str(model), challenge_id=challenge))
    assert isinstance(foreign.outcome, Scored) and foreign.outcome.value == 0.25 and foreign.training_id is None
    assert play.ports.tournaments.load(state.tournament.tournament_id).results == state.results


def test_where_the_kl_counts_miners_are_told_and_it_is_measured(inline: Path) -> None:
    trained: list[ContainerSpec] = []
    measured: list[EvaluationSpec] = []

    def script(spec: ContainerSpec, output: Path) -> Ending:
        jobs = [Path(mount.source) for mount in spec.inputs if mount.target.endswith("/spec.json")]
        measured.extend(EvaluationSpec.model_validate_json(job.read_bytes()) for job in jobs)
        trained.extend([] if jobs else [spec])
        return train_or_evaluate(spec, output)

    play = Play(inline, {0: "2.0", 1: "1.0", 2: "1.5"}, script=script)
    with use_ports(play.ports):
        open_tournament(
            rules="demo-kinds", first_champion=builders.hotkey(0), challenge_kinds=(ChallengeKind.INSTRUCT,)
        )
    assert {(spec.environment["USE_KL"], spec.environment["KL_COEF"]) for spec in trained} == {("true", "0.1")}
    assert {(spec.definition, spec.kl_coefficient) for spec in measured} == {(INSTRUCT_KL, 0.1)}
    assert len(trained) == len(measured) >= 4


def test_too_few_entries_cancel_the_tournament(inline: Path) -> None:
    play = Play(inline, {0: "2.0", 1: "1.0"})
    with use_ports(play.ports):
        state = play_one(play)
    assert state.tournament.status is TournamentStatus.CANCELLED and play.compute.ran == []
    assert str(DEMO.minimum_entrants) in str(state.tournament.reason)


def test_without_a_champion_nothing_is_opened(inline: Path) -> None:
    play = Play(inline, {1: "1.0"})
    with use_ports(play.ports), pytest.raises(ValueError, match="name a hotkey in first_champion"):
        open_tournament(rules="demo", first_champion=builders.hotkey(0))
    assert play.ports.tournaments.latest(TournamentKind.TEXT) is None


@pytest.mark.parametrize("arguments", [{}, {"evaluation_id": "e", "model": "m", "challenge_id": "c"}, {"model": "m"}])
def test_a_reevaluation_must_be_asked_for_in_one_way(inline: Path, arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="name either"):
        reevaluate(**arguments)
