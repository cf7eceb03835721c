"""Pre-train the demo's base model: `python -m demo.pretraining <folder> <recipe as JSON>`, run by `demo.base_model`.

Its text is the library's *undocumented* functions and the docstrings of modules and classes: Python and English, but
none of the functions that the demo's datasets are made of, so that a fine-tune has something to learn.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from demo.base_model import Recipe
from demo.library import Module, modules

PAD, BOS, EOS = "<pad>", "<s>", "</s>"


def texts(library: list[Module]) -> list[str]:
    undocumented = [f.source for m in library for f in m.functions if not f.docstring]
    return undocumented + [text for m in library for text in m.prose]


def train_tokenizer(library: list[Module], recipe: Recipe) -> PreTrainedTokenizerFast:
    """Byte-level BPE of code and docstrings alike; every text survives the round trip."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    docstrings = [f.docstring for m in library for f in m.functions if f.docstring]
    bpe.train_from_iterator(texts(library) + docstrings, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=recipe.positions,
        clean_up_tokenization_spaces=False,
    )


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads // 2,
        max_position_embeddings=recipe.positions,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def blocks(library: list[Module], tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> torch.Tensor:
    """(N, sequence) token ids: shuffled texts end to end, each closed by EOS."""
    encoded = tokenizer([text + EOS for text in texts(library)])["input_ids"]
    order = torch.randperm(len(encoded)).tolist()
    stream = torch.tensor([token for i in order for token in encoded[i]])
    return stream[: len(stream) // recipe.sequence * recipe.sequence].view(-1, recipe.sequence)


def batches(data: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    while True:
        yield from data[torch.randperm(len(data))].split(size)[: len(data) // size]


def pretrain(model: LlamaForCausalLM, data: torch.Tensor, recipe: Recipe) -> Iterator[tuple[float, float]]:
    """Yield (share done, loss) after each step; the learning rate warms up and falls to nothing by the end."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    began, done = time.monotonic(), 0.0
    for step, batch in enumerate(batches(data, recipe.batch), start=1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, step / 20, (1.02 - done) / 0.6)
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        done = max(step / recipe.steps, (time.monotonic() - began) / recipe.seconds)
        yield min(done, 1.0), loss.item()
        if done >= 1.0:
            return


def main(into: Path, recipe: Recipe) -> None:
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(min(2, torch.get_num_threads()))
    library = list(modules())
    tokenizer = train_tokenizer(library, recipe)
    model: Any = build_model(recipe, tokenizer)
    for done, loss in pretrain(model, blocks(library, tokenizer, recipe), recipe):
        print(f"{done:.4f} {loss:.4f}", flush=True)
    tokenizer.save_pretrained(into)
    model.save_pretrained(into, safe_serialization=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Recipe.model_validate_json(sys.argv[2]))
