"""`god simulate` as a stranger uses it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import PREREQUISITE_EXIT, app
from core.ports import Ports
from gateways.memory import MemoryCompute, memory_ports
from gateways.wiring import use_ports
from laboratory import plots
from laboratory.world import World

PROMISED = {"false_dethronings_per_year", "power", "best_entrant_wins", "gpu_hours_per_tournament"}
GIVEN = (
    "--rules",
    "calibrated",
    "--seasons",
    "30",
    "--gain",
    "0.015",
    "--seed-noise",
    "0.004",
    "--seed",
    "9",
    "--json",
)


def god(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(app, ("simulate", *arguments))
    return outcome.exit_code, outcome.output


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Ports]:
    with use_ports(memory_ports(MemoryCompute(lambda *_: None, tmp_path))) as ports:
        yield ports


def test_one_json_object_a_rule_set():
    code, output = god(*GIVEN)
    report = json.loads(output)
    assert code == 0 and set(report) >= PROMISED
    assert (report["rules"], report["seasons"], report["gain"]) == ("calibrated/1", 30, 0.015)
    assert (report["seed_noise_nats"], report["noise"]["seed_noise"]) == (0.004, 0.004)
    assert 0.9 < report["power"] <= 1 and report["title_challenges"]["null"] < report["title_challenges"]["gain"]


def test_the_same_seed_prints_the_same_bytes():
    assert god(*GIVEN) == god(*GIVEN)
    assert god(*GIVEN) != god(*GIVEN, "--seed", "10")


def test_classic_stands_beside_calibrated():
    code, output = god("--seasons", "5", "--json")
    assert code == 0 and [json.loads(line)["rules"] for line in output.splitlines()] == ["classic/1", "calibrated/1"]
    code, output = god("--seasons", "5")
    assert code == 0 and "classic/1" in output and "calibrated/1" in output and "stated, not measured" in output


def test_a_noise_model_goes_from_one_run_to_the_next(tmp_path: Path):
    file = tmp_path / "noise.json"
    file.write_text(json.dumps(json.loads(god(*GIVEN)[1])["noise"] | {"seed_noise": 0.011, "source": "a file"}))
    code, output = god("--rules", "classic", "--seasons", "3", "--noise", str(file), "--json")
    assert code == 0 and json.loads(output)["seed_noise_nats"] == 0.011
    assert json.loads(output)["noise"]["source"] == "a file"


def test_without_recorded_duels_the_stated_noise_is_taken_and_said_so(world: Ports):
    code, output = god("--seasons", "3", "--recorded")
    assert code == 0 and "the store has 0 duels" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rules", "guessed"), "we ship calibrated, classic, demo"),
        (("--rules", "demo", "--kind", "image"), "not for image"),
        (("--noise", "nowhere.json"), "nowhere.json holds no noise model"),
        (("--noise", "x", "--recorded"), "give one of them"),
    ],
)
def test_what_cannot_be_simulated_is_told_in_one_line(arguments: tuple[str, ...], told: str):
    code, output = god(*arguments, "--seasons", "1")
    assert code == PREREQUISITE_EXIT and told in output


def test_plots_are_drawn_and_are_the_same_each_time(tmp_path: Path):
    paths = plots.draw(tmp_path / "first", World(tournaments_per_year=4), 2, 1)
    assert [path.name for path in paths] == [
        "power.svg",
        "false_dethronings.svg",
        "title_challenges.svg",
        "gpu_hours.svg",
    ]
    again = plots.draw(tmp_path / "again", World(tournaments_per_year=4), 2, 1)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    code, output = god("--seasons", "1")
    assert code == PREREQUISITE_EXIT and "scipy is missing: install the extra `simulate`" in output
