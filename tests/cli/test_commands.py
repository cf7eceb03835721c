"""`god` as an operator and an auditor use it, against the in-memory twins."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import PREREQUISITE_EXIT, app
from cli.tournaments import tournament as tournament_view
from core.artifacts import ArtifactKind
from core.ids import CHAMPION, Contestant, TournamentId
from core.ports import Ports
from core.tournament import Gap, HaltCause, RoundType, TournamentState, TournamentStatus, WeightSetting
from core.value import canonical_json
from gateways.memory import MemoryCompute, memory_ports
from gateways.wiring import use_ports
from tests import builders
from tests.tournament.states import active, by_skill, play
from tournament import weights
from tournament.emission import classic
from tournament.evidence import Evidence, tournament_evidence
from tournament.rules import DEMO, PooledTitle

SKILL = {Contestant(builders.hotkey(1)): 0.5, Contestant(builders.hotkey(2)): "crashed: exit code 1", CHAMPION: 1.0}


def god(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, arguments)
    return outcome.exit_code, outcome.output


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Ports]:
    with use_ports(memory_ports(MemoryCompute(lambda *_: None, tmp_path))) as ports:  # type: ignore[arg-type,return-value]
        yield ports


@pytest.fixture
def setting(world: Ports) -> WeightSetting:
    return recorded(world)


def recorded(world: Ports, false_weights: dict[str, str] | None = None) -> WeightSetting:
    """Weights as `set-weights` leaves them, or false ones."""
    state = play(active(builders.entries(2), DEMO), DEMO, by_skill(SKILL))
    evidence = Evidence(
        policy=classic.POLICY,
        netuid=56,
        burn_hotkey=builders.hotkey(99),
        tournaments=(tournament_evidence(state, 1, "0.2"),),
        participants=(),
    )
    published = world.artifacts.put_bytes(ArtifactKind.EVIDENCE, canonical_json(evidence))
    return world.weights.plan(
        builders.weight_setting(
            setting_id=f"weights-{published.sha256[:16]}",
            evidence=published,
            weights=false_weights or weights.of(evidence),
        )
    )


def test_weights_can_be_recomputed_from_the_store(setting: WeightSetting) -> None:
    code, output = god("weights", "recompute")
    assert code == 0 and "to the last digit" in output and "0.450000000000" in output


def test_weights_can_be_recomputed_from_a_file_without_any_service(
    setting: WeightSetting, world: Ports, tmp_path: Path
) -> None:
    (tmp_path / "evidence.json").write_bytes(world.artifacts.get_bytes(setting.evidence))
    code, output = god("weights", "recompute", str(tmp_path / "evidence.json"))
    assert code == 0 and all(weight in output for weight in setting.weights.values())


def test_recorded_weights_that_do_not_follow_from_their_evidence_are_told(world: Ports) -> None:
    false = recorded(world, {builders.hotkey(2): "1.000000000000"})
    code, output = god("weights", "recompute")
    assert code != 0 and f"{false.setting_id} records other weights" in output


def test_evidence_that_contradicts_itself_is_one_line(setting: WeightSetting, world: Ports, tmp_path: Path) -> None:
    document = json.loads(world.artifacts.get_bytes(setting.evidence))
    document["tournaments"][0]["positions"].reverse()
    (tmp_path / "evidence.json").write_text(json.dumps(document))
    code, output = god("weights", "recompute", str(tmp_path / "evidence.json"))
    assert code != 0 and "tournaments.0: Value error, text-0001: the positions do not follow" in output
    assert "Traceback" not in output


def test_without_weights_the_way_to_them_is_named(world: Ports) -> None:
    code, output = god("weights", "show")
    assert code == PREREQUISITE_EXIT and "set-weights/default" in output and "Traceback" not in output


def halted(world: Ports, cause: HaltCause) -> TournamentId:
    """In its first round."""
    store, opened = world.tournaments, world.tournaments.open(builders.tournament())
    store.record_entries(opened.tournament_id, builders.entries(2), builders.sha256("seed"))
    store.record_round(opened.tournament_id, builders.round_plan(builders.contestants(1, 2)))
    store.halt(opened.tournament_id, cause, "the engine refused 20 times", 900)
    return opened.tournament_id


def test_a_halted_tournament_shows_why_until_when_and_what_to_type(world: Ports) -> None:
    id_ = halted(world, HaltCause.FAILURES)
    _, shown = god("tournament", "show")
    assert all(word in shown for word in ("halted", "the engine refused 20 times", "failures", "from block 900 on"))
    for words in (f"resume {id_}`", f"resume {id_} --accept-failures`", f"cancel {id_} --reason"):
        assert f"god tournament {words}" in shown


def test_a_halted_tournament_goes_on(world: Ports) -> None:
    id_ = halted(world, HaltCause.PLATFORM)
    assert "--accept-failures" not in god("tournament", "show")[1], "there is nothing to accept"
    code, output = god("tournament", "resume", "--accept-failures")
    assert code == PREREQUISITE_EXIT and "resume it without accepting" in output
    code, output = god("tournament", "resume")
    assert code == 0 and id_ in output
    assert world.tournaments.load(id_).tournament.status is TournamentStatus.ACTIVE


def test_failures_are_accepted(world: Ports) -> None:
    id_ = halted(world, HaltCause.FAILURES)
    code, output = god("tournament", "resume", id_, "--accept-failures")
    assert code == 0 and "with its failures" in output
    assert world.tournaments.load(id_).rounds[0].failures_accepted


def test_a_tournament_is_cancelled_with_a_reason(world: Ports) -> None:
    id_ = halted(world, HaltCause.FAILURES)
    code, output = god("tournament", "cancel", id_)
    assert code == PREREQUISITE_EXIT and "--reason TEXT" in output
    code, output = god("tournament", "cancel", "--reason", "the engine stays away")
    assert code == 0 and id_ in output
    cancelled = world.tournaments.load(id_).tournament
    assert (cancelled.status, cancelled.reason) == (TournamentStatus.CANCELLED, "the engine stays away")


@pytest.mark.parametrize("one", [["--disqualify", "5F3s"], ["--reason", "copied code"]])
def test_nobody_is_disqualified_without_a_reason(world: Ports, one: list[str]) -> None:
    code, output = god("tournament", "revise", halted(world, HaltCause.FAILURES), "--round", "1", *one)
    assert code == PREREQUISITE_EXIT and "--disqualify HOTKEY and --reason TEXT" in output


def test_what_was_revised_is_shown_so(world: Ports) -> None:
    id_ = halted(world, HaltCause.FAILURES)
    plan = world.tournaments.load(id_).rounds[0].plan
    gap = Gap(against=builders.contestants(2)[0], gain="0.0123", low="-0.001", high="0.0256")
    first = builders.round_result(plan)
    standing = first.standings[0].model_copy(update={"gap": gap})
    world.tournaments.close_round(first.model_copy(update={"standings": (standing, first.standings[1])}))
    world.tournaments.resume(id_)
    final = builders.round_plan(builders.contestants(1, 0), number=2, type=RoundType.TITLE)
    world.tournaments.record_round(id_, final)
    world.tournaments.disqualify(id_, builders.hotkey(1), "copied code")
    _, before = god("tournament", "show")
    assert "+0.0123 (-0.0010 … +0.0256)" in before and "disqualified" in before and "copied code" in before
    turned = [s.model_copy(update={"advances": not s.advances}) for s in first.standings]
    world.tournaments.close_round(first.model_copy(update={"revision": 2, "standings": tuple(turned)}))
    _, after = god("tournament", "show")
    assert "Round 1, revision 2" in after and "Round 2 was superseded" in after


def test_an_unknown_tournament_is_one_line(world: Ports) -> None:
    code, output = god("tournament", "show", "text-0404")
    assert code == PREREQUISITE_EXIT and "text-0404" in output and "Traceback" not in output


def shown(state: TournamentState) -> str:
    console = Console(width=260, record=True)
    console.print(tournament_view(state))
    return console.export_text()


def test_a_pooled_title_shows_its_test_positions_and_what_is_released() -> None:
    rules = DEMO.model_copy(update={"title": PooledTitle(duel=True)})
    values = {**SKILL, CHAMPION: 0.51}
    text = shown(play(active(builders.entries(2), rules), rules, by_skill(values)))
    for words in ("mean gain 1.980% over 3 challenges", "no spread", "needed 96.873", "Final positions", "1.980%"):
        assert words in text, (words, text)
    assert builders.entry(1).repository in text and "0.000%" in text


def test_a_finished_tournament_shows_standings_title_and_reasons() -> None:
    text = shown(play(active(builders.entries(2), DEMO), DEMO, by_skill(SKILL)))
    assert all(word in text for word in ("crashed: exit code 1 (miner)", "Title match", "holds the title", "0.500000"))


@pytest.mark.parametrize("arguments", [[], ["text-0001-e1", "--model", ".", "--challenge", "c"], ["--model", "."]])
def test_what_to_measure_again_must_be_said_in_one_way(arguments: list[str], world: Ports) -> None:
    code, output = god("reevaluate", *arguments)
    assert code == PREREQUISITE_EXIT and "--challenge" in output
