"""Reward functions and rows tried before their challenge is ready; the container is played by our own evaluator."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.challenge import (
    Challenge,
    ChallengeKind,
    ChallengePlan,
    ChallengeStatus,
    DatasetInfo,
    GrpoDataset,
    RewardFunction,
)
from core.compute import ContainerSpec, Ending
from core.ids import ChallengeId, group_id, round_id, tournament_id
from core.ports import Ports
from core.reading import ReadingReport, ReadingSpec
from core.rewards.contract import name_of, of_source
from core.rewards.library import entries
from core.rewards.validation import ValidationSpec
from core.tournament import TournamentStatus
from evaluators.rewards.__main__ import main as validate_rewards
from flows.challenge import prepare_challenge
from gateways import wiring
from gateways.compute.local import LocalCompute
from gateways.memory import MemoryHub, World, memory_ports
from gateways.memory.compute import Script
from gateways.memory.world import TournamentRow
from gateways.settings import ComputeSettings, WriterSettings
from gateways.wiring import use_ports
from gateways.writing import CompletionsWriter
from preparation import trial
from tasks import dispatch
from tasks.outcomes import has_outcome
from tasks.runs import remove_finished_runs
from tests import builders
from tests.flows.play import ImageIsTree
from tests.gateways.web_server import Answer, serving
from tests.preparation.rows import dataset, sources
from tournament import rules

pytestmark = pytest.mark.prefect
TOURNAMENT = tournament_id("text", 1)
ID = ChallengeId("text-0001-r1-g1-c1")
TRIAL = f"{ID}-trial0"
RULES = rules.DEMO.model_copy(update={"minimum_rows": 20}).model_dump(mode="json")

CALM = "def calm(completions, **kwargs):\n    return [float('!' not in text) for text in completions]\n"
SOUND = of_source(CALM, 3.0)
CRASHES = "def crashes(completions, extra_data, **kwargs):\n    return [extra_data[0]['none']] * len(completions)\n"
UNSOUND = {
    "crashes": (CRASHES, "crash: "),
    "hangs": ("def hangs(completions, **kwargs):\n    while True:\n        pass\n", "timeout: "),
    "nan": ("def nan(completions, **kwargs):\n    return [float('nan') for _ in completions]\n", "finite: "),
    "short": ("def short(completions, **kwargs):\n    return [1.0]\n", "length: "),
    "words": ("def words(completions, **kwargs):\n    return ['good' for _ in completions]\n", "type: "),
}
SLOW = """\
def slow(completions, **kwargs):
    return [float(sum(range(10**8)) > 0) for _ in completions]
"""
WRITTEN = """\
def brief(completions, **kwargs):
    return [float(len(text) < 40) for text in completions]
"""
NOSY = "def nosy(completions, **kwargs):\n    return [float(len(open('/job/spec.json').read()))] * len(completions)\n"
DRAFTS = f"```python\n{WRITTEN}```\n```python\n{CRASHES}```\n```python\n{CALM}```"


def in_container(spec: ContainerSpec, output: Path) -> Ending:
    """What the evaluator's image does for `rewards /job`, outside of a container."""
    assert spec.command == ("rewards", "/job")
    mounts = {mount.target: mount.source for mount in spec.inputs}
    asked = ValidationSpec.model_validate_json(Path(mounts["/job/spec.json"]).read_bytes())
    here = asked.model_copy(update={"rows": mounts[asked.rows], "outputs": str(output)})
    job = output.with_name("job")
    job.mkdir()
    (job / "spec.json").write_text(here.model_dump_json())
    return Ending.CRASHED if validate_rewards([str(job)]) else Ending.FINISHED


class Stand:
    """A tournament in memory that waits for one challenge."""

    def __init__(self, folder: Path, source: DatasetInfo, script: Script) -> None:
        self.world = World()
        self.compute = ImageIsTree(script, folder / "runs")
        self.dataset = source
        hub = MemoryHub()
        hub.add_model(builders.model(), {"config.json": "{}", "model.safetensors": "x"})
        hub.add_dataset(source, sources(source.kind, 60))
        self.ports = memory_ports(self.compute, world=self.world, hub=hub)
        self.ports.leases.register_slots(self.compute.slots())
        active = builders.tournament(1).model_copy(update={"status": TournamentStatus.ACTIVE})
        self.world.tournaments[TOURNAMENT] = TournamentRow(active)
        self.plan(self.dataset)

    def plan(self, source: DatasetInfo) -> None:
        drawn = builders.challenge_plan(ID, kind=source.kind, dataset=source)
        round_ = round_id(TOURNAMENT, 1)
        self.world.challenges[ID] = Challenge(
            plan=drawn,
            tournament_id=TOURNAMENT,
            round_id=round_,
            group_id=group_id(round_, 1),
            status=ChallengeStatus.PLANNED,
        )

    @property
    def challenge(self) -> Challenge:
        return self.world.challenges[ID]

    @property
    def functions(self) -> dict[str, float]:
        """Name → weight of the challenge made ready."""
        assert self.challenge.data is not None, self.challenge.reason
        described = self.challenge.data.dataset_type
        assert isinstance(described, GrpoDataset)
        return {name_of(function.reward_func): function.reward_weight for function in described.reward_functions}

    def prepare(self, ports: Ports | None = None) -> None:
        with use_ports(ports or self.ports):
            prepare_challenge(self.challenge.plan, RULES)

    def is_clean(self) -> bool:
        return not self.compute.names() and not self.world.leases


MakeStand = Callable[..., Stand]


@pytest.fixture
def stand(inline: Path) -> MakeStand:
    def make(*functions: RewardFunction, **changes: Any) -> Stand:
        described = GrpoDataset(reward_functions=functions) if functions else None
        prompts = dataset(ChallengeKind.GRPO, dataset_id="prompts", dataset_type=described, **changes)
        return Stand(inline, prompts, in_container)

    return make


def test_a_datasets_own_sound_functions_judge_the_challenge(stand: MakeStand) -> None:
    there = stand(SOUND, entries()["varied_words"].function)
    there.prepare()
    assert there.functions == {"calm": 3.0, "varied_words": 1.0}
    assert len(there.compute.ran) == 1 and there.compute.ran[0].startswith(f"{TRIAL}-") and there.is_clean()


@pytest.mark.parametrize(("source", "reason"), UNSOUND.values(), ids=UNSOUND)
def test_an_unsound_function_fails_the_challenge_by_name_with_the_row(
    stand: MakeStand, source: str, reason: str
) -> None:
    there = stand(SOUND, of_source(source))
    there.prepare()
    told = str(there.challenge.reason)
    assert there.challenge.status is ChallengeStatus.FAILED
    assert told.startswith(f"dataset prompts: the reward function {name_of(source)} is refused: {reason}")
    assert '(on sample row 0), which is {"extra_data": ' in told and '"prompt": "alpha' in told
    assert there.is_clean()


def test_our_own_functions_cost_no_container(stand: MakeStand) -> None:
    there = stand()
    there.prepare()
    assert 1 <= len(there.functions) <= 5 and there.compute.ran == []


def test_a_false_hash_fails_the_challenge_before_anything_runs(stand: MakeStand) -> None:
    there = stand(SOUND.model_copy(update={"func_hash": "0" * 64}))
    there.prepare()
    assert "dataset prompts: its reward function" in str(there.challenge.reason)
    assert "func_hash is not the SHA-256 of its text" in str(there.challenge.reason) and there.compute.ran == []


def reads(problem: str | None) -> Script:
    """The evaluator as it reads rows, with this to say of them."""

    def script(spec: ContainerSpec, output: Path) -> Ending:
        assert spec.command == ("rows", "/job")
        mounts = {mount.target: Path(mount.source) for mount in spec.inputs}
        asked = ReadingSpec.model_validate_json(mounts["/job/spec.json"].read_bytes())
        assert (mounts[asked.base_model] / "config.json").is_file()
        assert [len(json.loads(mounts[path].read_bytes())) for path in (asked.test, asked.train)] == [6, 54]
        (output / "report.json").write_text(ReadingReport(problem=problem).model_dump_json())
        return Ending.FINISHED

    return script


def conversations(folder: Path, script: Script) -> Stand:
    return Stand(folder, dataset(ChallengeKind.CHAT, dataset_id="talks"), script)


def test_conversations_are_read_before_their_challenge_is_ready(inline: Path) -> None:
    there = conversations(inline, reads(None))
    there.prepare()
    assert there.challenge.status is ChallengeStatus.READY
    assert len(there.compute.ran) == 1 and there.is_clean()


def test_a_row_that_measuring_would_not_read_fails_the_challenge(inline: Path) -> None:
    there = conversations(inline, reads("row 7 of train: the chat template 'base' is refused: use chatml"))
    there.prepare()
    assert there.challenge.status is ChallengeStatus.FAILED and there.is_clean()
    assert str(there.challenge.reason).startswith("dataset talks on model ") and "row 7 of train" in str(
        there.challenge.reason
    )


def test_rows_that_take_too_long_fail_the_challenge(inline: Path) -> None:
    there = conversations(inline, lambda *_: Ending.TIME_UP)
    there.prepare()
    assert "its rows were not read in 123 s: choose chatml" in str(there.challenge.reason) and there.is_clean()


def test_what_our_side_spoils_is_tried_again_and_then_fails_the_challenge(stand: MakeStand) -> None:
    there = stand(SOUND)
    there.prepare()
    (name,) = there.compute.ran
    first = name.removesuffix("-a1")
    spoilt = [stand(SOUND) for _ in range(2)]
    spoilt[0].compute.endings = {f"{first}-a1": Ending.LOST, f"{first}-a2": Ending.OUT_OF_MEMORY}
    spoilt[0].prepare()
    assert spoilt[0].functions == {"calm": 3.0} and spoilt[0].compute.ran == [f"{first}-a{n}" for n in (1, 2, 3)]
    spoilt[1].compute.endings = {f"{first}-a{n}": Ending.LOST for n in (1, 2, 3)}
    spoilt[1].prepare()
    assert "the challenge could not be tried: lost: imposed" in str(spoilt[1].challenge.reason) and spoilt[1].is_clean()


def test_after_a_resume_it_is_tried_anew(stand: MakeStand) -> None:
    """The runs of the failed trial are gone, and their names are never run again."""
    there = stand(SOUND)
    there.compute = ImageIsTree(lambda spec, output: Ending.CRASHED, there.compute._folder)
    there.prepare(replace(there.ports, compute=there.compute))
    assert there.challenge.status is ChallengeStatus.FAILED
    there.plan(there.dataset)
    there.compute._script = in_container
    there.prepare(replace(there.ports, compute=there.compute))
    assert there.functions == {"calm": 3.0} and [name[-2:] for name in there.compute.ran] == ["a1", "a2", "a3", "a4"]


def test_flow_runs_that_bring_nothing_about_fail_the_challenge(
    stand: MakeStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every flow run that is sent to the work pool ended without an outcome."""
    there = stand(SOUND)
    monkeypatch.setattr(dispatch, "DISPATCHES", 0)
    monkeypatch.setenv("GOD_DISPATCH__MODE", "deployments")
    wiring.settings.cache_clear()
    there.prepare()
    assert str(there.challenge.reason) == f"{TRIAL}: 0 flow runs ended without an outcome" and there.is_clean()


def test_what_was_not_done_in_time_is_named(stand: MakeStand) -> None:
    there = stand(SOUND, of_source(WRITTEN))

    def stopped(spec: ContainerSpec, output: Path) -> Ending:
        """The job as it stands when its time is up: one verdict is written."""
        in_container(spec, output)
        report = json.loads((output / "report.json").read_bytes())
        (output / "report.json").write_text(json.dumps(report | {"verdicts": report["verdicts"][:1]}))
        return Ending.TIME_UP

    there.prepare(replace(there.ports, compute=ImageIsTree(stopped, there.compute._folder)))
    assert "function brief is refused: timeout: not tried to its end in 360 s" in str(there.challenge.reason)


# What a language model writes


def answering(content: str) -> Callable[[str, bytes], Answer]:
    return lambda path, body: Answer(json.dumps({"choices": [{"message": {"content": content}}]}).encode())


def test_sound_drafts_stand_beside_the_others(stand: MakeStand) -> None:
    there = stand(SOUND, of_source(UNSOUND["nan"][0].replace("'nan'", "1"), 1.0), written_rewards=2)
    with serving(answering(DRAFTS)) as address:
        writer = CompletionsWriter(WriterSettings(endpoint=f"{address}/v1", model="small"))
        there.prepare(replace(there.ports, writer=writer))
    assert there.functions == pytest.approx({"calm": 0.5, "nan": 1 / 6, "brief": 1 / 3})
    assert len(there.compute.ran) == 1 and there.is_clean()


def test_a_writer_that_offers_nothing_leaves_the_challenge_as_it_is(stand: MakeStand) -> None:
    there = stand(written_rewards=1)
    with serving(answering("I cannot.")) as address:
        writer = CompletionsWriter(WriterSettings(endpoint=f"{address}/v1", model="small"))
        there.prepare(replace(there.ports, writer=writer))
    assert there.functions and there.compute.ran == []


def test_drafts_without_a_writer_are_an_error(stand: MakeStand) -> None:
    there = stand(SOUND, written_rewards=1)
    there.prepare()
    assert "dataset prompts asks for written reward functions, but there is no writer" in str(there.challenge.reason)


# In the evaluator's container as it is


@pytest.fixture
def local(inline: Path) -> LocalCompute:
    inline.chmod(0o755)
    return LocalCompute(ComputeSettings(driver="bubblewrap"), inline / "compute")


@pytest.mark.sandbox
def test_in_the_container_sound_drafts_are_kept(stand: MakeStand, local: LocalCompute) -> None:
    there = stand(SOUND, written_rewards=2)
    with serving(answering(f"{DRAFTS}\n```python\n{NOSY}```")) as address:
        writer = CompletionsWriter(WriterSettings(endpoint=f"{address}/v1", model="small"))
        there.prepare(replace(there.ports, writer=writer, compute=local))
    assert list(there.functions) == ["calm", "brief"] and local.names() == [] and there.is_clean()


@pytest.mark.sandbox
def test_in_the_container_an_unsound_function_is_named(stand: MakeStand, local: LocalCompute) -> None:
    there = stand(SOUND, of_source(NOSY))
    there.prepare(replace(there.ports, compute=local))
    assert "dataset prompts: the reward function nosy is refused: crash: " in str(there.challenge.reason)
    assert local.names() == [] and there.is_clean()


@pytest.mark.sandbox
def test_in_the_container_the_clock_is_kept(
    stand: MakeStand, local: LocalCompute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "START_SECONDS", 2.0)
    monkeypatch.setattr(trial, "FUNCTION_SECONDS", 1.0)
    there = stand(of_source(SLOW))
    there.prepare(replace(there.ports, compute=local))
    assert "function slow is refused: timeout: not tried to its end in 3 s" in str(there.challenge.reason)
    assert local.names() == [] and there.is_clean()


# Killed


class Dead(BaseException):
    """The process ends here."""


class Mortal:
    """A port at one of whose methods one dies, once, before or after its effect."""

    def __init__(self, port: object, method: str, when: str) -> None:
        self._port, self._method, self._when = port, method, when
        self._is_due = True

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)
        return self._deadly(call) if method == self._method and self._is_due else call

    def _deadly(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*arguments: Any) -> Any:
            self._is_due = False
            if self._when == "after":
                call(*arguments)
            raise Dead

        return deadly


POINTS = [("artifacts", "put_bytes"), ("compute", "start"), ("tournaments", "challenge_ready"), ("compute", "remove")]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("port", "method"), POINTS)
def test_killed_at_any_effect_it_is_tried_once_and_ends_the_same(
    stand: MakeStand, port: str, method: str, when: str
) -> None:
    there, undisturbed = stand(SOUND), stand(SOUND)
    undisturbed.prepare()
    mortal = Mortal(getattr(there.ports, port), method, when)
    with pytest.raises(Dead):
        there.prepare(replace(there.ports, **{port: mortal}))
    if there.challenge.status is ChallengeStatus.PLANNED:
        there.prepare()
    with use_ports(there.ports):
        remove_finished_runs.fn()
    assert there.challenge == undisturbed.challenge
    assert there.compute.ran == undisturbed.compute.ran and there.is_clean()


def test_what_died_without_a_word_is_taken_over_with_its_container(stand: MakeStand) -> None:
    """A SIGKILL leaves the leases and the run; the sweep leaves them to the successor."""
    there = stand(SOUND)
    with pytest.raises(Dead):
        there.prepare(replace(there.ports, tournaments=Mortal(there.ports.tournaments, "challenge_ready", "before")))  # type: ignore[arg-type]
    there.ports.leases.acquire(TRIAL, "the dead one", 1, 600.0, 30.0)
    there.world.leases[TRIAL].heartbeat_at -= timedelta(minutes=1)
    with use_ports(there.ports):
        assert not has_outcome(TRIAL) and remove_finished_runs.fn() == []
        there.prepare()
        assert has_outcome(TRIAL)
    assert there.functions == {"calm": 3.0} and len(there.compute.ran) == 1 and there.is_clean()


def test_drafts_that_were_lost_are_written_anew(stand: MakeStand) -> None:
    there, answers = stand(SOUND, written_rewards=1), iter([CRASHES, WRITTEN])

    class Moody:
        def write(self, system: str, user: str) -> str:
            return f"```python\n{next(answers)}```"

    ports = replace(there.ports, writer=Moody())
    with pytest.raises(Dead):
        there.prepare(replace(ports, tournaments=Mortal(ports.tournaments, "challenge_ready", "before")))  # type: ignore[arg-type]
    there.prepare(ports)
    assert list(there.functions) == ["calm", "brief"] and len(there.compute.ran) == 2 and there.is_clean()


def test_a_challenge_that_was_drawn_anew_meanwhile_is_left_alone(stand: MakeStand) -> None:
    """A flow run that slept through its own trial's end."""
    there = stand(SOUND)

    def replaced_meanwhile(spec: ContainerSpec, output: Path) -> Ending:
        plan = ChallengePlan.model_validate(there.challenge.plan.model_dump() | {"replacement": 1})
        there.world.challenges[ID] = there.challenge.model_copy(update={"plan": plan})
        return in_container(spec, output)

    there.prepare(replace(there.ports, compute=ImageIsTree(replaced_meanwhile, there.compute._folder)))
    assert there.challenge.status is ChallengeStatus.PLANNED and there.challenge.plan.replacement == 1
