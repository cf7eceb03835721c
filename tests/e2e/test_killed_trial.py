"""`god up` with its real workers: the trial of a challenge's reward functions, while who waits for it is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.challenge import Challenge, ChallengeKind, ChallengeStatus, GrpoDataset
from core.ids import ChallengeId, TournamentId
from core.rewards.contract import of_source
from core.tournament import RoundPlan
from embedded.addresses import recorded
from gateways.compute.runs import Run
from gateways.hub import FolderHub
from tests import builders
from tests.e2e.test_killed_services import PATIENCE_SECONDS, house, stage_of
from tests.embedded.conftest import House, until
from tests.flows.staging import RULES, Stage

__all__ = ["house"]
pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.postgres, pytest.mark.sandbox]

TOURNAMENT = TournamentId("text-0001")
CHALLENGE = ChallengeId("text-0001-r1-g1-c1")
SLOW = of_source(
    "def slow(completions, **kwargs):\n    return [float(sum(range(3 * 10**7)) > 0) for _ in completions]\n"
)


def add_prompts(hub: Path) -> None:
    """A GRPO dataset with a reward function of its own."""
    rows = [{"question": f"What does f{number} do?"} for number in range(30)]
    (hub / "datasets/prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    described = GrpoDataset(reward_functions=(SLOW,)).model_dump(mode="json")
    card = {"kind": "GrpoTask", "columns": {"prompt": "question"}, "dataset_type": described}
    (hub / "datasets/prompts.json").write_text(json.dumps(card))


def make_round(hub: Path) -> RoundPlan:
    """One pair, and a challenge of those prompts."""
    known = FolderHub(hub).catalogue()
    prompts = next(dataset for dataset in known.datasets if dataset.dataset_id == "prompts")
    changes = {"kind": ChallengeKind.GRPO, "model": known.models[0], "dataset": prompts}
    plan = builders.challenge_plan(CHALLENGE, **changes)
    drawn = builders.round_plan(builders.contestants(0, 1))
    return drawn.model_copy(update={"groups": (drawn.groups[0].model_copy(update={"challenges": (plan,)}),)})


def begin(stage: Stage, house: House) -> None:
    """As if the round had just been drawn."""
    hub = house.folder.parent / "hub"
    add_prompts(hub)
    store = stage.ports.tournaments
    store.open(builders.tournament(rules=RULES.model_copy(update={"fee_rao": 0}).model_dump(mode="json")))
    store.record_entries(TOURNAMENT, [builders.entry(1)], builders.sha256("seed"))
    store.record_round(TOURNAMENT, make_round(hub))
    addresses = recorded(house.state)
    assert addresses is not None
    command = [str(Path(sys.executable).with_name("prefect")), "deployment", "run", "run-tournament/default"]
    command += ["--param", f"tournament_id={TOURNAMENT}"]
    subprocess.run(command, env={**os.environ, **addresses.environment}, check=True, capture_output=True)


def runs_of(stage: Stage) -> list[Run]:
    found = [Run(folder) for folder in (stage.folder / "state/compute/runs").glob(f"{CHALLENGE}-trial0-*")]
    return [run for run in found if (state := run.state()) is not None and state.started_at is not None]


def kill_with_flow_runs(house: House, worker: str) -> None:
    pid = house.programs()[worker].pid
    family = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    for process in family:
        process.kill()


def outcome_of(stage: Stage) -> Challenge:
    (challenge,) = stage.ports.tournaments.load(TOURNAMENT).challenges
    return challenge


@pytest.mark.timeout(900)
def test_a_trial_outlives_who_waits_for_it(house: House) -> None:
    """The one that watches it, and the one that prepares the challenge."""
    stage = stage_of(house)
    begin(stage, house)
    until(lambda: bool(runs_of(stage)), PATIENCE_SECONDS)
    (run,) = runs_of(stage)
    kill_with_flow_runs(house, "worker-gpu-jobs")
    kill_with_flow_runs(house, "worker-control")
    state = run.state()
    assert state is not None and state.ending is None, "they died while it ran"
    until(lambda: outcome_of(stage).status is not ChallengeStatus.PLANNED, PATIENCE_SECONDS)
    made = outcome_of(stage)
    stage.ports.tournaments.cancel(TOURNAMENT, "the test has seen what it wants to see")
    assert made.data is not None, made.reason
    assert made.data.dataset_type == GrpoDataset(reward_functions=(SLOW,))
    until(lambda: not runs_of(stage), PATIENCE_SECONDS)
    tried = [path.name for path in (stage.folder / "state/compute/removed").glob("*-trial0-*")]
    assert tried == [run.name], "it was tried once"
