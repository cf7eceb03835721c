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

from tests.miner_templates.conftest import TEMPLATE, World, make_rows

pytestmark = [pytest.mark.slow]

BASE_LOSS = 5.9
"""Nats per answer token of the untrained base: near log 400."""
HIDDEN = make_rows(30, seed=1)


def test_it_uses_its_clock_ends_before_it_and_has_learnt(world: World) -> None:
    world.write_rows(make_rows(20_000))
    began = time.time()
    process = world.start(30)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    said_at = float(re.findall(r"^\[ *([\d.]+) s of 30\]", said, flags=re.M)[-1])
    assert 24 < said_at < 30, said
    assert (world.output / "model.safetensors").stat().st_mtime - began < 30
    assert world.loss(HIDDEN) < BASE_LOSS - 2, said
    assert not list(world.output.parent.glob(".*")) and not list(world.output.glob(".*"))


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_second_after_the_first_save_it_leaves_a_whole_fine_tune(world: World, seed: int) -> None:
    world.write_rows(make_rows(20_000))
    process = world.start(60)
    world.wait_for_first_save(process)
    time.sleep(random.Random(seed).uniform(0, 4))
    process.kill()
    process.wait()
    assert world.loss(HIDDEN) < BASE_LOSS


def test_sigterm_ends_it_soon_with_its_best(world: World) -> None:
    world.write_rows(make_rows(20_000))
    process = world.start(300)
    world.wait_for_first_save(process)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert world.loss(HIDDEN) < BASE_LOSS


LONG = "train.LONG_CLOCK_SECONDS, train.PROBE_SHARE, train.MAX_EPOCHS = 1.0, 0.01, 2"
LORA = "train.LORA_RANK, train.LORA_LEARNING_RATE, train.memory_of_one_device = 8, 5e-3, lambda: 1.0"
TWO_DEVICES = "train.torch.cuda.device_count = lambda: 2"


@pytest.mark.parametrize(
    ("before", "form"),
    [
        (LONG, "model.safetensors"),
        (f"{LONG}\n{LORA}", "adapter_model.safetensors"),
        (f"{LONG}\n{TWO_DEVICES}", "model.safetensors"),
    ],
    ids=["whole", "lora", "two processes"],
)
def test_the_long_way_by_sfttrainer(world: World, before: str, form: str) -> None:
    world.before = before
    process = world.start(200)
    said, _ = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert "held-out loss by learning rate" in said and (world.output / form).is_file()
    assert ("processes=2" in said) == (TWO_DEVICES in before)
    assert world.loss(HIDDEN) < BASE_LOSS - 0.5, said


PUBLISHER = """
import sys
from itertools import count
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch, train
from safetensors.torch import save_file

def write(folder):
    (folder / "config.json").write_text("{}")
    save_file({"weight": torch.full((300_000,), float(number))}, folder / "model.safetensors")

print("ready", flush=True)
for number in count(1):
    train.publish(Path(sys.argv[2]), write)
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
