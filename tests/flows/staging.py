"""A small tournament on real parts: PostgreSQL, an S3 server, git repositories, sandboxes. Only scripts are scripted.

Miners' code is two numbers: the loss that their model reaches, and the seconds that this takes. The evaluator reads
them in the checkpoint, and takes as long.
"""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import prefect.settings

from core.ids import Coldkey, Hotkey
from core.ports import Ports
from core.tournament import EntryClaim, TournamentKind, TournamentStatus
from gateways.compute.local import LocalCompute
from gateways.local_chain import LocalChain
from gateways.postgres.database import Database
from gateways.s3 import S3Artifacts
from gateways.settings import ArtifactSettings, ChainSettings, Settings
from gateways.wiring import connect
from tests import builders
from tournament import rules

HERE = Path(__file__).parent
TEMPLATE = HERE.parents[1] / "miner_templates" / "text"
RULES = rules.DEMO.model_copy(
    update={
        "name": "staged/1",
        "window_blocks": 1,
        "fee_rao": 5,
        "minimum_rows": 20,
        "title_kinds": rules.DEMO.title_kinds[:1],
        "models": dict.fromkeys(rules.DEMO.models, (1, 10**7)),
    }
)
rules.NAMED["staged"] = {TournamentKind.TEXT: RULES}
COLLECTION_ADDRESS = "5Collection"
FOREVER = 1e6
"""Seconds."""
KILLED = "killed"
"""Instead of a loss: code that dies of a SIGKILL inside its sandbox."""


@dataclass(frozen=True)
class Stage:
    """Where one tournament is played."""

    folder: Path
    dsn: str
    artifacts: ArtifactSettings
    stale_seconds: float = 0.5

    def environment(self) -> dict[str, str]:
        """Of a process that plays it."""
        ours = {
            "GOD_STATE": self.folder / "state",
            "GOD_DATABASE__DSN": self.dsn,
            "GOD_ARTIFACTS__ENDPOINT": self.artifacts.endpoint,
            "GOD_ARTIFACTS__BUCKET": self.artifacts.bucket,
            "GOD_ARTIFACTS__ACCESS_KEY": self.artifacts.access_key,
            "GOD_ARTIFACTS__SECRET_KEY": self.artifacts.secret_key.get_secret_value(),
            "GOD_COMPUTE__DRIVER": "bubblewrap",
            "GOD_COMPUTE__MEMORY_MIB_PER_SLOT": 256,
            "GOD_REPOSITORIES__ALLOW_LOCAL": "true",
            "GOD_HUB__FOLDER": self.folder / "hub",
            "GOD_CHAIN__BLOCK_SECONDS": 0.5,
            "GOD_CHAIN__COLLECTION_ADDRESS": COLLECTION_ADDRESS,
            "GOD_CHAIN__WEIGHTS_RATE_LIMIT": 1000,
            "GOD_DISPATCH__MODE": "inline",
            "GOD_DISPATCH__STALE_SECONDS": self.stale_seconds,
            "PREFECT_API_URL": prefect.settings.PREFECT_API_URL.value(),
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        return {**os.environ, **{name: str(value) for name, value in ours.items()}}

    @cached_property
    def ports(self) -> Ports:
        """As a process that plays it has them."""
        settings = Settings.model_validate(
            {
                "state": self.folder / "state",
                "database": {"dsn": self.dsn},
                "artifacts": self.artifacts,
                "compute": {"driver": "bubblewrap"},
            }
        )
        return staged_ports(settings)

    def chain(self) -> LocalChain:
        return LocalChain(Database(self.dsn), ChainSettings(block_seconds=0.5))

    def make_hub(self) -> None:
        """One model of four parameters, one dataset of thirty rows."""
        model, datasets = self.folder / "hub/models/god--tiny", self.folder / "hub/datasets"
        model.mkdir(parents=True)
        datasets.mkdir()
        (model / "config.json").write_text("{}")
        header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
        (model / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
        rows = [{"source": f"f{number}", "docstring": f"number {number}"} for number in range(30)]
        (datasets / "numbers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        card = {"kind": "InstructTextTask", "columns": {"instruct": "source", "output": "docstring"}}
        (datasets / "numbers.json").write_text(json.dumps(card))

    def enter(self, skills: Mapping[int, str], seconds: float = 0.4, code: Path = HERE / "scripted/miner") -> None:
        """Register each miner, commit its repository and pay the fee; 0 is the first champion.

        Args:
            skills: By miner; stands in the repository's file `model`, before the seconds.
        """
        chain = self.chain()
        chain.register(Hotkey(ChainSettings().burn_hotkey), Coldkey("burn"), 0)
        for number, skill in skills.items():
            repository = self.folder / f"repositories/{number}"
            claim = EntryClaim(
                kind=TournamentKind.TEXT,
                repository=f"file://{repository}",
                commit=make_repository(repository, code, f"{skill} {seconds}\n"),
            )
            chain.register(builders.hotkey(number), builders.coldkey(number), 10**9)
            chain.commit(builders.hotkey(number), claim.payload)
            chain.transfer(builders.coldkey(number), COLLECTION_ADDRESS, RULES.fee_rao)


def make_repository(folder: Path, code: Path, model: str) -> str:
    """A miner's git repository; returns its commit."""
    shutil.copytree(code, folder)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(TEMPLATE / name, folder)
    (folder / "model").write_text(model)
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "-c", "user.name=miner", "-c", "user.email=miner@example.org", "commit", "--quiet", "-m", "entry")
    return _git(folder, "rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return run.stdout.strip()


class ScriptedEvaluator(LocalCompute):
    """Real sandboxes; the evaluator's image is the scripted one."""

    def trusted_image(self, name: str) -> str:
        image = self.build(HERE / "scripted/evaluator", "Dockerfile", f"trusted/{name}")
        assert isinstance(image, str), image
        return image


def staged_ports(settings: Settings) -> Ports:
    """The real ports."""
    compute = ScriptedEvaluator(settings.compute, settings.state / "compute")
    ports = replace(connect(settings), compute=compute)
    ports.leases.register_slots(compute.slots())
    assert isinstance(ports.artifacts, S3Artifacts)
    ports.artifacts.ensure_bucket()
    return ports


def is_over(ports: Ports) -> bool:
    """The tournament is finished, its weights are set, and neither a lease nor a sandbox is left."""
    newest, setting = ports.tournaments.latest(TournamentKind.TEXT), ports.weights.latest()
    is_finished = newest is not None and newest.status is TournamentStatus.FINISHED
    is_set = setting is not None and setting.block_number is not None
    return is_finished and is_set and not ports.leases.live_owners(FOREVER) and not ports.compute.names()
