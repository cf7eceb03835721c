"""A base model, fine-tunes of it and rows, made on the fly: the same for everybody who is timed."""

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from core.challenge import ChallengeKind, DpoDataset
from core.evaluation import DPO, EvaluationSpec
from core.value import sha256_hex
from evaluators.job import tree_sha256

SHAPE = {
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 16384,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
"""10.5 million parameters; 40 % of them make logits, between Qwen 3 0.6B (26 %) and Gemma 3 270M (63 %)."""
COLUMNS = {
    "instruct": {"instruct": ("", 8, 48), "output": ("", 4, 24)},
    "dpo": {"prompt": ("", 8, 48), "chosen": (" ", 4, 24), "rejected": (" ", 4, 24)},
}
"""What a text begins with, its least and most words. TRL reads prompt and answer as one text, hence the space."""
SPECS: dict[str, dict[str, Any]] = {
    "instruct": {"kind": ChallengeKind.INSTRUCT},
    "dpo": {"kind": ChallengeKind.DPO, "definition": DPO, "dataset_type": DpoDataset()},
}


@dataclass(frozen=True)
class Materials:
    kind: str
    """`instruct` or `dpo`."""
    base: Path
    test: Path
    rows: list[dict[str, str]]
    checkpoints: list[Path]
    """Full weights and adapters in turn."""


def make(folder: Path, submissions: int, rows: int, kind: str = "instruct") -> Materials:
    torch.manual_seed(0)
    base = folder / "base"
    model = LlamaForCausalLM(LlamaConfig(**SHAPE))
    model.save_pretrained(base)
    _save_tokenizer(base)
    checkpoints = [(_adapter if n % 2 else _full)(base, folder / f"s{n}") for n in range(submissions)]
    made = _rows(rows, COLUMNS[kind])
    (folder / "test.json").write_text(json.dumps(made))
    return Materials(kind, base, folder / "test.json", made, checkpoints)


def _save_tokenizer(folder: Path) -> None:
    """A word is a token, so that every peer cuts every text alike."""
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    words = [*special.values(), *(f"w{n}" for n in range(SHAPE["vocab_size"] - 3))]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=special["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special, pad_token=special["eos_token"])
    fast.save_pretrained(folder)


def _full(base: Path, folder: Path) -> Path:
    model = LlamaForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder


def _adapter(base: Path, folder: Path) -> Path:
    config = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.02)
    model.save_pretrained(str(folder))
    return folder


def _rows(count: int, columns: dict[str, tuple[str, int, int]]) -> list[dict[str, str]]:
    draw = random.Random(0)

    def text(before: str, least: int, most: int) -> str:
        words = (f"w{draw.randrange(SHAPE['vocab_size'] - 3)}" for _ in range(draw.randint(least, most)))
        return before + " ".join(words)

    return [{name: text(*what) for name, what in columns.items()} for _ in range(count)]


def write_jobs(materials: Materials, folder: Path) -> list[Path]:
    """A job folder for every checkpoint."""
    return [_write_job(materials, checkpoint, folder / checkpoint.name) for checkpoint in materials.checkpoints]


def _write_job(materials: Materials, checkpoint: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = EvaluationSpec(
        evaluation_id=checkpoint.name,
        **SPECS[materials.kind],
        base_model=str(materials.base),
        checkpoint=str(checkpoint),
        test=str(materials.test),
        outputs=str(folder / "outputs"),
        base_sha256=tree_sha256(materials.base),
        checkpoint_sha256=tree_sha256(checkpoint),
        test_sha256=sha256_hex(materials.test.read_bytes()),
    )
    (folder / "spec.json").write_text(spec.model_dump_json())
    return folder
