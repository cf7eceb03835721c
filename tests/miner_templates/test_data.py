"""What is trained on is what is measured: the same tokens, the same mask, of every kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer import lean, rows, samples
from transformers import AutoTokenizer

from core.challenge import ChatDataset, DatasetType, DpoDataset, GrpoDataset, InstructDataset
from core.rewards.contract import of_source
from core.value import canonical_json
from evaluators import chat, instruct, preference, prompts
from evaluators.packing import Sample as Theirs
from evaluators.prompts import Voice
from tests.miner_templates.conftest import REWARD

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
written = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
optional = {"input": st.none() | words, "system": st.none() | words}


def some(**columns: Any) -> st.SearchStrategy[list[dict[str, Any]]]:
    fields = {name: optional.get(name, words) for name in columns.get("optional", ())}
    return st.lists(st.fixed_dictionaries(columns["required"], optional=fields), min_size=1, max_size=8)


INSTRUCT = (
    InstructDataset(),
    InstructDataset(field_input=None, system_prompt="Be brief."),
    InstructDataset(field_system="system", system_format="[{system}]\n"),
    InstructDataset(format="### {instruction}\n{input}\n=> ", no_input_format="### {instruction}\n=> "),
)
DPO = (
    DpoDataset(),
    DpoDataset(field_system="system", chosen_format="Yes: {chosen}", rejected_format="{rejected} no"),
    DpoDataset(field_system="system", prompt_format="<{system}> {prompt} ="),
)
TEMPLATES = {
    "chatml": samples.CHATML,
    "strips": "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{{ eos_token }}{% endfor %}",
    "bare": "{% for m in messages %}{{ m['content'] }}\n\n{% endfor %}",
}


@pytest.fixture(scope="session")
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny)


def told(dataset: DatasetType) -> dict[str, Any]:
    """As the command line says it."""
    return json.loads(canonical_json(dataset))


def assert_equal(ours: samples.Sample, theirs: Any) -> None:
    assert tuple(ours.ids) == theirs.tokens
    assert tuple(place for place, label in enumerate(ours.labels) if label != -100) == theirs.counted
    assert all(label in (-100, token) for label, token in zip(ours.labels, ours.ids, strict=True))


def counting(theirs: list[Theirs]) -> list[Theirs]:
    return [sample for sample in theirs if sample[0].counted]


@given(
    some(required={"instruct": words, "output": words}, optional=("input", "system")).filter(
        lambda found: any("system" in row for row in found)
    ),
    st.sampled_from(INSTRUCT),
    st.integers(2, 60),
)
def test_instruct_rows(tokenizer: Any, found: list[dict[str, Any]], dataset: InstructDataset, length: int) -> None:
    ours = samples.Instruct(told(dataset)).encode(found, samples.Codec(tokenizer, length))
    theirs = counting(instruct.samples(found, dataset, tokenizer, length))
    for sample, (expected,) in zip(ours, theirs, strict=True):
        assert_equal(sample, expected)


conversations = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), written), min_size=1, max_size=6)


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=15)
@given(st.lists(conversations, min_size=1, max_size=5), st.integers(2, 90))
def test_conversations(template: str, tokenizer: Any, said: list[list[tuple[str, str]]], length: int) -> None:
    found = [{"conversations": [{"from": role, "value": text} for role, text in turns]} for turns in said]
    dataset = ChatDataset(chat_template="chatml" if template == "chatml" else "base")
    tokenizer.chat_template = TEMPLATES[template]
    ours = samples.Chat(told(dataset)).encode(found, samples.Codec(tokenizer, length))
    theirs = counting(chat.samples(found, dataset, tokenizer, length))
    for sample, (expected,) in zip(ours, theirs, strict=True):
        assert_equal(sample, expected)


@given(
    some(required={"prompt": words, "chosen": words, "rejected": words, "system": words}),
    st.sampled_from(DPO),
    st.integers(2, 60),
)
def test_pairs(tokenizer: Any, found: list[dict[str, Any]], dataset: DpoDataset, length: int) -> None:
    ours = samples.Dpo(told(dataset)).encode(found, samples.Codec(tokenizer, length))
    theirs = counting(preference.samples(found, dataset, tokenizer, length))
    for pair, (chosen, rejected) in zip(ours, theirs, strict=True):
        assert_equal(pair.chosen, chosen)
        assert_equal(pair.rejected, rejected)
        assert pair.chosen.ids[: pair.context] == pair.rejected.ids[: pair.context]


@given(some(required={"prompt": written, "extra_data": words}), st.booleans(), st.integers(4, 60))
def test_prompts(tokenizer: Any, found: list[dict[str, Any]], extra: bool, length: int) -> None:
    dataset = GrpoDataset(reward_functions=(of_source(REWARD),), extra_column="extra_data" if extra else None)
    ours = samples.Grpo(told(dataset)).encode(found, samples.Codec(tokenizer, length))
    theirs = list(prompts.prompts(found, dataset, Voice(tokenizer, frozenset(), length, 8)))
    assert [(p.text, tuple(p.ids), p.extra) for p in ours] == [(p.text, p.tokens, p.extra) for p in theirs]


def test_formats_may_be_left_out() -> None:
    kind = {"field_instruction": "q", "field_output": "a"}
    assert samples.Instruct(kind).texts({"q": "Why?", "a": "So."}) == ("Why?", "So.")
    assert samples.Instruct({**kind, "field_input": "i"}).texts({"q": "Why?", "a": None, "i": "x"}) == ("Why? x", "")


@given(st.lists(st.tuples(st.text("ab 1.", max_size=6), st.text("ab 1.", max_size=6)), max_size=80))
def test_no_validation_row_has_a_near_duplicate(pairs: list[tuple[str, str]]) -> None:
    found = [{"prompt": prompt, "answer": answer} for prompt, answer in pairs]
    training, held_out = rows.split(found, lambda row: (row["prompt"], row["answer"]))
    assert sorted(map(id, training + held_out)) == sorted(map(id, found))

    def plain(text: str) -> list[str]:
        return "".join(letter if letter in "ab" else " " for letter in text).split()

    for row in held_out:
        for column in ("prompt", "answer"):
            assert sum(plain(other[column]) == plain(row[column]) for other in found) == 1


def test_an_epoch_has_every_row_once_in_batches_that_fit_and_the_same_order_again(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "POOL", 32)
    found = [{"instruct": f"say {i}", "output": "word " * (i % 7 + 1)} for i in range(90)]
    codec, reader = samples.Codec(tokenizer, 64), samples.Instruct(told(InstructDataset()))
    encoded: list[int] = []

    def encode(part: Any) -> list[samples.Sample]:
        encoded.append(len(part))
        return reader.encode(part, codec)

    def epochs(count: int) -> list[list[Any]]:
        """The batches of each."""
        batches, source = [], lean.epochs(found, encode, tokens=100)
        for _ in range(count):
            batches.append([])
            while sum(map(len, batches[-1])) < len(found):
                batches[-1].append(next(source))
        return batches

    first, second = epochs(2)
    assert sum(encoded) == len(found)
    assert first == epochs(1)[0] != second
    for batches in (first, second):
        ids = sorted(sample.ids for batch in batches for sample in batch)
        assert ids == sorted(sample.ids for sample in reader.encode(found, codec))
        assert all(max(sample.tokens for sample in batch) * len(batch) <= 100 for batch in batches)


def test_rows_without_anything_to_learn_are_said_to_be_so(tokenizer: Any) -> None:
    reader, codec = samples.Instruct(told(InstructDataset())), samples.Codec(tokenizer, 64)
    with pytest.raises(SystemExit, match="anything to learn"):
        next(lean.epochs([{"instruct": "x", "output": ""}], lambda part: reader.encode(part, codec), 100))
