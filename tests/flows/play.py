"""A whole small tournament in memory: miners whose code is one number, the loss that their model reaches."""

import json
from pathlib import Path

from core.challenge import ChallengeKind, DatasetInfo, ModelInfo
from core.compute import BuildFailure, ContainerSpec, Ending
from core.contract import CHECKPOINTS
from core.evaluation import EvaluationReport, EvaluationSpec, ExampleResult, Refused, Scored
from core.ids import Coldkey, Hotkey
from core.ports import Ports
from core.tournament import EntryClaim, TournamentKind
from core.value import canonical_json, sha256_hex
from gateways.memory import MemoryChain, MemoryCompute, MemoryHub, MemoryRepositories, memory_ports
from gateways.memory.compute import Script
from tests import builders

TEMPLATE = Path(__file__).resolve().parents[2] / "miner_templates" / "text"
DOCKERFILE = "dockerfiles/standalone-text-trainer.dockerfile"
MODEL = ModelInfo(model_id="god/tiny", revision="1", parameters=1_000_000)
ROWS = [{"task": "Say it", "source": f"f{i}", "docstring": f"number {i}"} for i in range(2100)]
DATASET = DatasetInfo(
    dataset_id="numbers",
    revision="1",
    kind=ChallengeKind.INSTRUCT,
    rows=len(ROWS),
    columns={"instruct": "task", "input": "source", "output": "docstring"},
)


def train_or_evaluate(spec: ContainerSpec, output: Path) -> Ending:
    """What stands in for a container: training writes the number of the tree's `loss`, evaluation reads it."""
    return _evaluate(spec, output) if spec.output_target != CHECKPOINTS else _train(spec, output)


def _train(spec: ContainerSpec, output: Path) -> Ending:
    arguments = dict(zip(spec.command[::2], spec.command[1::2], strict=True))
    behaviour = Path(spec.image, "behaviour").read_text() if Path(spec.image).is_dir() else "1.0"
    if behaviour == "crash":
        return Ending.CRASHED
    folder = output / arguments["--task-id"] / arguments["--expected-repo-name"]
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(behaviour)
    return Ending.FINISHED


def _evaluate(spec: ContainerSpec, output: Path) -> Ending:
    mounts = {mount.target: Path(mount.source) for mount in spec.inputs}
    for folder in spec.command:
        asked = EvaluationSpec.model_validate_json(mounts[f"{folder}/spec.json"].read_bytes())
        _answer(asked, mounts, output / Path(asked.outputs).name)
    return Ending.FINISHED


def _answer(asked: EvaluationSpec, mounts: dict[str, Path], output: Path) -> None:
    output.mkdir()
    behaviour = (mounts[asked.checkpoint] / "model.safetensors").read_text()
    outcome: Scored | Refused = Refused(reason="not a fine-tune: the weights are the base model's")
    if behaviour != "base":
        rows = json.loads(mounts[asked.test].read_text())
        lines = b"".join(
            canonical_json(
                ExampleResult(row_id=i, row_sha256=sha256_hex(canonical_json(r)), total=float(behaviour), weight=1)
            )
            + b"\n"
            for i, r in enumerate(rows)
        )
        (output / "per_example.jsonl").write_bytes(lines)
        outcome = Scored(value=float(behaviour), weight=len(rows), rows=len(rows), per_example_sha256=sha256_hex(lines))
    report = EvaluationReport(spec_sha256=sha256_hex(canonical_json(asked)), outcome=outcome)
    (output / "report.json").write_bytes(canonical_json(report))


class ImageIsTree(MemoryCompute):
    """The image of a tree is the tree's folder, so that the script can read it."""

    def build(self, source: Path, dockerfile: str, tag: str) -> str | BuildFailure:
        built = super().build(source, dockerfile, tag)
        return built if isinstance(built, BuildFailure) else str(source)


class TickingChain(MemoryChain):
    """A block for each time that somebody looks."""

    def block_number(self) -> int:
        self.advance()
        return super().block_number()


class Play:
    """The outside of a small tournament: `behaviours` by miner number, 0 is the first champion."""

    def __init__(
        self, folder: Path, behaviours: dict[int, str], *, slots: int = 2, script: Script = train_or_evaluate
    ) -> None:
        self.compute = ImageIsTree(script, folder / "runs", slots=slots)
        self.chain = TickingChain(weights_rate_limit=0)
        self.repositories = MemoryRepositories()
        self.hub = MemoryHub()
        self.hub.add_model(MODEL, {"config.json": "{}"})
        self.hub.add_dataset(DATASET, ROWS)
        self.ports: Ports = memory_ports(self.compute, repositories=self.repositories, hub=self.hub, chain=self.chain)
        self.ports.leases.register_slots(self.compute.slots())
        self.chain.register(Hotkey("5GU4Xkd3dCGTU3s8VLcHGc5wsD5M8XyxDca5yDQhYm1mVXFu"), Coldkey("burn"), 0)
        for number, behaviour in behaviours.items():
            self.enter(number, behaviour)

    def enter(self, number: int, behaviour: str) -> None:
        """Register miner `number` and commit code of this behaviour, one block later than the one before."""
        self.chain.advance()
        self.chain.register(builders.hotkey(number), builders.coldkey(number), 10**9)
        repository = builders.repository(number)
        licences = {name: (TEMPLATE / name).read_text() for name in ("LICENSE", "NOTICE")}
        commit = self.repositories.add(repository, {DOCKERFILE: "FROM x", "behaviour": behaviour, **licences})
        claim = EntryClaim(kind=TournamentKind.TEXT, repository=repository, commit=commit)
        self.chain.commit(builders.hotkey(number), claim.payload)
