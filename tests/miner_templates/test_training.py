"""Real trainings of a tiny base in a process of their own."""

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.miner_templates.conftest import EVERY_KIND, TEMPLATE, World, make_rows

pytestmark = [pytest.mark.slow]

BASE = {"instruct": 5.9, "chat": 5.9, "dpo": 0.6931, "grpo": 0.1}
"""About what the untrained base reaches: near log 400 nats a token, log 2 a pair; for rewards what it does not."""
MANY = 20_000
every_kind = pytest.mark.parametrize("kind", EVERY_KIND)


def assert_learnt(world: World, name: str, margin: float = 0.0) -> None:
    value = world.value()
    assert value > BASE[name] if name == "grpo" else value < BASE[name] - margin, value


@every_kind
def test_it_uses_its_clock_ends_before_it_and_has_learnt(world: World, kind: str) -> None:
    world.become(EVERY_KIND[kind], MANY)
    began = time.time()
    process = world.start(30)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    said_at = float(re.findall(r"^\[ *([\d.]+) s of 30\]", said, flags=re.M)[-1])
    assert 20 < said_at < 30, said
    assert (world.output / "model.safetensors").stat().st_mtime - began < 30
    assert_learnt(world, kind, {"instruct": 2, "chat": 2, "dpo": 0.2, "grpo": 0}[kind])
    assert not list(world.output.parent.glob(".*")) and not list(world.output.glob(".*"))


@every_kind
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_second_after_the_first_save_it_leaves_a_whole_fine_tune(
    world: World, kind: str, seed: int
) -> None:
    world.become(EVERY_KIND[kind], 2000)
    process = world.start(60)
    world.wait_for_first_save(process)
    time.sleep(random.Random(seed).uniform(0, 4))
    process.kill()
    process.wait()
    assert isinstance(world.value(), float)


def test_sigterm_ends_it_soon_with_its_best(world: World) -> None:
    world.write_rows(make_rows(MANY))
    process = world.start(300)
    world.wait_for_first_save(process)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert_learnt(world, "instruct")


def test_the_kl_to_the_base_is_part_of_the_loss(world: World) -> None:
    """With a high coefficient little is gained by drifting: trained for it, the model stays nearer to its base."""
    world.write_rows(make_rows(MANY))
    values = []
    for asked in ({}, {"USE_KL": "true", "KL_COEF": "4"}):
        world.environment = asked
        process = world.start(20)
        said, _ = process.communicate(timeout=100)
        assert process.returncode == 0, said
        values.append(world.value(kl_coefficient=4.0))
    assert values[1] < values[0]


LONG = "recipe.LONG_CLOCK_SECONDS, recipe.PROBE_SHARE, recipe.MAX_EPOCHS, recipe.DPO_MAX_EPOCHS = 1.0, 0.01, 2, 2"
LORA = "recipe.LORA_RANK, recipe.LORA_LEARNING_RATE, train.memory_of_one_device = 8, 5e-3, lambda: 1.0"
TWO_DEVICES = "train.torch.cuda.device_count = lambda: 2"
FEW_REWARDS = "recipe.MAX_EPOCHS, recipe.MAX_NEW_TOKENS = 0.1, 16"


@pytest.mark.parametrize(
    ("kind", "before", "form"),
    [
        ("instruct", LONG, "model.safetensors"),
        ("instruct", f"{LONG}\n{LORA}", "adapter_model.safetensors"),
        ("instruct", f"{LONG}\n{TWO_DEVICES}", "model.safetensors"),
        ("chat", LONG, "model.safetensors"),
        ("dpo", LONG, "model.safetensors"),
        ("dpo", f"{LONG}\n{LORA}", "adapter_model.safetensors"),
        ("grpo", f"{LONG}\n{FEW_REWARDS}", "adapter_model.safetensors"),
    ],
    ids=["whole", "lora", "two processes", "chat", "pairs", "pairs and lora", "rewards"],
)
def test_the_long_way_by_trls_trainers(world: World, kind: str, before: str, form: str) -> None:
    world.become(EVERY_KIND[kind])
    world.before = before
    process = world.start(200)
    said, _ = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert (world.output / form).is_file()
    assert ("held-out loss by learning rate" in said) == (kind != "grpo")
    assert ("processes=2" in said) == (TWO_DEVICES in before)
    assert_learnt(world, kind)


def test_the_long_way_counts_the_kl(world: World) -> None:
    world.before, world.environment = LONG, {"USE_KL": "true", "KL_COEF": "0.5"}
    process = world.start(200)
    said, _ = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert world.value(kl_coefficient=0.5) < BASE["instruct"]


PUBLISHER = """
import sys
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from trainer.save import publish
from safetensors.torch import save_file

def write(folder):
    (folder / "config.json").write_text("{}")
    save_file({"weight": torch.full((300_000,), float(number))}, folder / "model.safetensors")

print("ready", flush=True)
for number in count(1):
    publish(Path(sys.argv[2]), write)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "task" / "repo"


def test_a_kill_in_the_middle_of_saving_never_shows(target: Path) -> None:
    """Five kills; each new process finds what the last one left."""
    chance, newest = random.Random(5), 0
    for _ in range(5):
        command = [sys.executable, "-c", PUBLISHER, str(TEMPLATE), str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
        if not target.exists():
            continue
        with safe_open(target / "model.safetensors", framework="pt") as file:
            weight = file.get_tensor("weight")
        assert (target / "config.json").read_text() == "{}"
        assert weight.unique().numel() == 1
        newest = max(newest, int(weight[0]))
    assert newest > 1
