"""One challenge of a duel: two trainings at the same clock, two measurements, one gain."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.duel.challenges import DuelChallenge
from core.challenge import ChallengeKind, GrpoDataset
from core.evaluation import ExampleResult
from core.value import canonical_json
from evaluators import loading, machine
from evaluators.challenge import Challenge
from evaluators.grpo import GrpoChallenge
from evaluators.measurement import Measurement
from tournament.merit import merit, standard_error

TEMPLATE = Path(__file__).resolve().parents[2] / "miner_templates" / "text"
NORMAL_975 = 1.959964
SEED = "5eed"
ENTER_TEMPLATE = """
import os, sys
from pathlib import Path
root = Path(sys.argv.pop(1))
sys.path.insert(0, sys.argv.pop(1))
import train
train.main(sys.argv[1:], train.Paths(*(root / name for name in ("models", "datasets", "checkpoints"))))
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True)
class Gain:
    """Of the template over the default: ln of the losses' ratio, or the difference of scores."""

    challenge: str
    kind: str
    template: float | None
    default: float | None
    """Their values; None for a refusal or a training that left nothing."""
    gain: float
    standard_error: float
    """Over the test rows, paired."""

    @property
    def low(self) -> float:
        return self.gain - NORMAL_975 * self.standard_error

    @property
    def high(self) -> float:
        return self.gain + NORMAL_975 * self.standard_error


def play(challenge: DuelChallenge, root: Path, model_id: str, seconds: float, rate_factor: float) -> Gain:
    """Both train side by side, each on a core of its own where there are two, from the same seed."""
    task = challenge.name.replace(" ", "-").replace(",", "")
    (root / "datasets" / f"{task}_train_data.json").write_bytes(canonical_json(challenge.train))
    contract = _arguments(challenge, task, model_id, seconds)
    template = [sys.executable, "-c", ENTER_TEMPLATE, str(root), str(TEMPLATE), *contract]
    default = [sys.executable, "-m", "benchmarks.duel.default", *contract, "--root", str(root)]
    default += ["--rate-factor", str(rate_factor)]
    _train_both({"template": template, "default": default}, challenge, root / "checkpoints" / task, seconds)
    return _compare(challenge, root, model_id, root / "checkpoints" / task)


def _arguments(challenge: DuelChallenge, task: str, model_id: str, seconds: float) -> list[str]:
    told = {
        "task-id": task,
        "model": model_id,
        "task-type": challenge.kind.value,
        "dataset-type": canonical_json(challenge.dataset_type).decode(),
        "hours-to-complete": f"{seconds / 3600:.6f}",
    }
    return [word for name, value in told.items() for word in (f"--{name}", value)]


def _train_both(commands: dict[str, list[str]], challenge: DuelChallenge, logs: Path, seconds: float) -> None:
    """Whoever outlasts the clock is killed, as in a tournament."""
    logs.mkdir(parents=True)
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "GOD_SEED": "7"}
    if challenge.kl_coefficient is not None:
        quiet |= {"USE_KL": "true", "KL_COEF": repr(challenge.kl_coefficient)}
    cores = sorted(os.sched_getaffinity(0))
    running = []
    for number, (name, command) in enumerate(commands.items()):
        with (logs / f"{name}.log").open("w") as log:
            words = [*command, "--expected-repo-name", name]
            process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | quiet)
        os.sched_setaffinity(process.pid, {cores[number % len(cores)]})
        running.append(process)
    _wait(running, seconds)


def _wait(running: list[subprocess.Popen[bytes]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _compare(challenge: DuelChallenge, root: Path, model_id: str, checkpoints: Path) -> Gain:
    measure = _ruler(challenge, root / "models" / model_id.replace("/", "--"))
    template, default = (_measured(measure, checkpoints / name) for name in ("template", "default"))
    ours, theirs = _value(template), _value(default)
    name = "instruct with KL" if challenge.kl_coefficient else challenge.kind.name.lower()
    if ours is None or theirs is None:
        gain = float("nan") if ours is theirs else float("inf") if theirs is None else float("-inf")
        return Gain(challenge.name, name, ours, theirs, gain, 0.0)
    direction = challenge.kind.direction
    gain = float(merit(ours, direction) - merit(theirs, direction))
    return Gain(challenge.name, name, ours, theirs, gain, standard_error(template, default, direction))


Ruler = Challenge | GrpoChallenge


def _ruler(challenge: DuelChallenge, base: Path) -> Ruler:
    device, loaded = machine.prepare(), loading.load_base(base)
    if challenge.kind is ChallengeKind.GRPO:
        assert isinstance(challenge.dataset_type, GrpoDataset)
        return GrpoChallenge(loaded, challenge.test, challenge.dataset_type, device, SEED)
    return Challenge(loaded, challenge.test, challenge.dataset_type, device, challenge.kl_coefficient)


def _measured(ruler: Ruler, folder: Path) -> tuple[ExampleResult, ...]:
    """Nothing for a refusal, or where nothing was left."""
    found: Measurement | None = ruler.measure(folder) if folder.is_dir() else None
    return found.rows if found else ()


def _value(rows: tuple[ExampleResult, ...]) -> float | None:
    weight = sum(row.weight for row in rows)
    return sum(row.total for row in rows) / weight if weight else None
