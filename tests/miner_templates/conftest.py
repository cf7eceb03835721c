"""The template as a module, a tiny base model and rows that can be learnt, and real runs of the script."""

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.challenge import ChallengeKind, ChatDataset, DatasetType, DpoDataset, GrpoDataset, InstructDataset
from core.evaluation import Scored, definition_of
from core.rewards.contract import of_source
from core.value import canonical_json
from tests.evaluators.bench import Bench

TEMPLATE = Path(__file__).resolve().parents[2] / "miner_templates" / "text"
WORDS = ("sum", "list", "name", "file", "count", "value", "return", "raise", "open", "close", "read", "write", "left")
KIND = {"field_instruction": "instruct", "field_input": "input", "field_output": "output"}
REWARD = """
def words_of_ours(completions, **kwargs):
    return [min(1.0, text.count("e") / 20) for text in completions]
"""
PROGRAM = """
import os
import sys
from pathlib import Path
sys.path.insert(0, {template!r})
import train
from trainer import recipe
{before}
train.main(sys.argv[1:], train.Paths(*(Path({root!r}, name) for name in ("models", "datasets", "checkpoints"))))
sys.stdout.flush()
os._exit(0)
"""
sys.path.append(str(TEMPLATE))  # the template's modules, as its own process finds them


@pytest.fixture(scope="session")
def train() -> ModuleType:
    return importlib.import_module("train")


@dataclass(frozen=True)
class Kind:
    """A kind of challenge: the contract's name, its dataset's type, rows that can be learnt."""

    task_type: ChallengeKind
    dataset_type: DatasetType
    make_rows: Callable[[int, int], list[dict[str, Any]]]

    @property
    def arguments(self) -> dict[str, str]:
        return {"task_type": self.task_type.value, "dataset_type": canonical_json(self.dataset_type).decode()}


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Evaluations set up their whole process; other tests share this one."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


def make_rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Answers repeat what the input says, in a fixed frame: a model learns the frame within a few steps."""
    pick = random.Random(seed)
    said = [" ".join(pick.choices(WORDS, k=5)) for _ in range(count)]
    return [{"instruct": "Say it back.", "input": s, "output": f"It says, in plain words: {s}."} for s in said]


def make_conversations(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rows = make_rows(count, seed)
    turns = [
        [("user", row["input"]), ("assistant", row["output"]), ("user", "Why?"), ("assistant", "So.")] for row in rows
    ]
    return [{"conversations": [{"from": role, "value": text} for role, text in row]} for row in turns]


def make_pairs(count: int, seed: int = 0) -> list[dict[str, str]]:
    """The chosen answer has the frame, the rejected one has not."""
    rows = make_rows(count, seed)
    return [{"prompt": row["input"], "chosen": row["output"], "rejected": row["input"].upper()} for row in rows]


def make_prompts(count: int, seed: int = 0) -> list[dict[str, str]]:
    return [{"prompt": row["input"]} for row in make_rows(count, seed)]


INSTRUCT = Kind(ChallengeKind.INSTRUCT, InstructDataset(), make_rows)
CHAT = Kind(ChallengeKind.CHAT, ChatDataset(), make_conversations)
DPO = Kind(ChallengeKind.DPO, DpoDataset(), make_pairs)
GRPO = Kind(ChallengeKind.GRPO, GrpoDataset(reward_functions=(of_source(REWARD),)), make_prompts)
EVERY_KIND = {"instruct": INSTRUCT, "chat": CHAT, "dpo": DPO, "grpo": GRPO}


def save_base(folder: Path) -> Path:
    """A Llama of 150,000 parameters."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([row["output"] for row in make_rows(50)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    shape = {"hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 3, "num_attention_heads": 4}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        config = LlamaConfig(**shape, vocab_size=len(fast), max_position_embeddings=128, tie_word_embeddings=True)
        LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@dataclass
class World:
    """A folder laid out as the contract says, and runs of the template in it."""

    root: Path
    scratch: Path
    before: str = ""
    """Python that runs between the import of the template and its start."""
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    kind: Kind = INSTRUCT
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        return self.root / "models" / "god--tiny"

    @property
    def output(self) -> Path:
        return self.root / "checkpoints" / "task-1" / "repo-1"

    def arguments(self, seconds: float, **changes: str) -> list[str]:
        told = {
            "task-id": "task-1",
            "model": "god/tiny",
            "dataset": "/cache/datasets/task-1_train_data.json",
            "dataset-type": json.dumps(KIND),
            "task-type": "InstructTextTask",
            "file-format": "s3",
            "expected-repo-name": "repo-1",
            "hours-to-complete": f"{seconds / 3600:.6f}",
        }
        told |= {name.replace("_", "-"): value for name, value in changes.items()}
        return [word for name, value in told.items() for word in (f"--{name}", value)]

    def write_rows(self, rows: Any) -> None:
        (self.root / "datasets" / "task-1_train_data.json").write_text(json.dumps(rows))

    def become(self, kind: Kind, count: int = 400) -> None:
        """From now on the challenge is of this kind."""
        self.kind = kind
        self.write_rows(kind.make_rows(count, 0))

    def start(self, seconds: float, **changes: str) -> subprocess.Popen[str]:
        program = self.scratch / "program.py"
        program.write_text(PROGRAM.format(template=str(TEMPLATE), before=self.before, root=str(self.root)))
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        process = subprocess.Popen(
            [sys.executable, str(program), *self.arguments(seconds, **{**self.kind.arguments, **changes})],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | self.environment,
        )
        self.running.append(process)
        return process

    def wait_for_first_save(self, process: subprocess.Popen[str], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not self.output.exists():
            assert process.poll() is None and time.monotonic() < deadline, "no save"
            time.sleep(0.01)

    def value(self, kl_coefficient: float | None = None) -> float:
        """Of what lies in the output folder on hidden rows, by the evaluation itself; a refusal fails the test."""
        scratch = Path(tempfile.mkdtemp(dir=self.scratch))
        bench = Bench(scratch, self.base)
        for path in self.output.iterdir():
            if path.is_file():
                (bench.checkpoint / path.name).write_bytes(path.read_bytes())
        result = bench.evaluate(
            self.kind.make_rows(30, 1),
            kind=self.kind.task_type,
            definition=definition_of(self.kind.task_type, kl_coefficient),
            dataset_type=self.kind.dataset_type,
            kl_coefficient=kl_coefficient,
        )
        assert isinstance(result.report.outcome, Scored), result.report.outcome
        return result.report.outcome.value


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "god--tiny")


@pytest.fixture
def world(tmp_path: Path, tiny: Path) -> Iterator[World]:
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    for folder in (root / "models", root / "datasets", scratch):
        folder.mkdir(parents=True)
    (root / "models" / "god--tiny").symlink_to(tiny)
    world = World(root, scratch)
    world.write_rows(make_rows(400))
    yield world
    for process in world.running:
        process.send_signal(signal.SIGKILL)
        process.communicate()
