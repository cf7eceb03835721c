import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaForCausalLM

from core.challenge import InstructDataset
from core.value import canonical_json, sha256_hex
from tests.evaluators.bench import ROWS, Bench, Tensors
from tests.evaluators.conftest import moved


def independent_nats(folder: Path, tensors: Tensors, row: dict[str, Any], length: int = 64) -> tuple[float, int]:
    """The same sum by transformers' own loss, of a model loaded by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.load_state_dict(tensors, strict=False)
    extra = row.get("input")
    prompt = tokenizer(f"{row['instruct']} {extra}" if extra else row["instruct"]).input_ids
    answer = [*tokenizer(row["output"], add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    assert len(prompt) + len(answer) <= length
    labels = [-100] * len(prompt) + answer
    with torch.no_grad():
        loss = model(torch.tensor([prompt + answer]), labels=torch.tensor([labels])).loss
    return loss.double().item() * len(answer), len(answer)


def test_every_row_equals_an_independent_computation(bench: Bench, base: Path, tuned: Tensors) -> None:
    bench.save(tuned)
    result = bench.evaluate()
    for row, example in zip(ROWS, result.examples, strict=True):
        if row["output"]:
            nats, tokens = independent_nats(base, tuned, row)
            assert example.total == pytest.approx(nats, rel=1e-6) and example.weight == tokens
    assert [example.row_id for example in result.examples] == list(range(len(ROWS)))
    assert [example.row_sha256 for example in result.examples] == [sha256_hex(canonical_json(row)) for row in ROWS]


def test_the_loss_weighs_tokens_not_rows(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    result = bench.evaluate()
    nats = sum(example.total for example in result.examples)
    tokens = sum(example.weight for example in result.examples)
    assert result.scored.value == pytest.approx(nats / tokens, rel=1e-12)
    assert (result.scored.weight, result.scored.rows) == (tokens, len(ROWS))
    assert result.scored.per_example_sha256 == sha256_hex(result.lines)
    assert result.report.checkpoint_form == "full"
    assert result.report.versions.keys() == {
        "torch", "transformers", "python", "machine", "threads", "device", "dtype",
    }  # fmt: skip


def test_golden_value(bench: Bench, tuned: Tensors) -> None:
    """Made with torch 2.13.0 and transformers 5.23.0 on x86_64; other processors may round differently."""
    bench.save(tuned)
    result = bench.evaluate()
    assert result.scored.value == pytest.approx(5.778652, abs=2e-5)
    assert result.scored.weight == 54


def test_an_empty_answer_has_no_tokens(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    examples = bench.evaluate([{"instruct": "x", "output": None}, *ROWS[:1]]).examples
    assert (examples[0].total, examples[0].weight) == (0.0, 0)
    assert examples[1].weight > 0


def test_a_test_set_without_answers_is_ours(bench: Bench, tuned: Tensors, capsys: pytest.CaptureFixture[str]) -> None:
    bench.save(tuned)
    result = bench.evaluate([{"instruct": "x", "output": ""}])
    assert result.code == 2 and not (result.outputs / "report.json").exists()
    assert "no answer token" in capsys.readouterr().err


def test_two_evaluations_give_the_same_bytes(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    first, second = bench.evaluate(), bench.evaluate()
    assert first.lines == second.lines
    assert canonical_json(first.report.outcome) == canonical_json(second.report.outcome)


def test_neither_order_nor_company_changes_a_row(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    rows = [{"instruct": f"{'Say ' * (n % 9)}{n}", "input": "", "output": f"{'name ' * (n % 7)}{n}"} for n in range(40)]
    shuffled = random.Random(3).sample(rows, len(rows))
    by_row = {example.row_sha256: example.total for example in bench.evaluate(rows).examples}
    assert {example.row_sha256: example.total for example in bench.evaluate(shuffled).examples} == by_row
    assert bench.evaluate(rows[:1]).examples[0].total == by_row[sha256_hex(canonical_json(rows[0]))]


def test_the_place_in_the_file_changes_nothing(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    plain = bench.evaluate().lines
    bench.save(dict(reversed(tuned.items())), metadata={"pad": "x" * 12})
    assert bench.evaluate().lines == plain


def test_shards_count_as_one_file(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    whole = bench.evaluate().lines
    (bench.checkpoint / "model.safetensors").unlink()
    names = sorted(tuned)
    bench.save({name: tuned[name] for name in names[:9]}, "model-00001-of-00002.safetensors")
    bench.save({name: tuned[name] for name in names[9:]}, "model-00002-of-00002.safetensors")
    (bench.checkpoint / "model.safetensors.index.json").write_text("[lies")
    assert bench.evaluate().lines == whole


def test_nothing_but_tensors_is_believed(bench: Bench, base: Path, tuned: Tensors) -> None:
    bench.save(tuned)
    plain = bench.evaluate().lines
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (bench.checkpoint / name).write_text(
            '{"max_position_embeddings": 4, "auto_map": {"AutoConfig": "evil.Config"}}'
        )
    (bench.checkpoint / "evil.py").write_text("raise SystemExit('run')")
    (bench.checkpoint / "chat_template.jinja").write_text("{{ 1 / 0 }}")
    assert bench.evaluate().lines == plain


def test_half_precision_weights_are_measured_in_float32(bench: Bench, base: Path, tuned: Tensors) -> None:
    bench.save({name: tensor.bfloat16() for name, tensor in tuned.items()})
    rounded = {name: tensor.bfloat16().float() for name, tensor in tuned.items()}
    assert bench.evaluate(ROWS[:1]).examples[0].total == pytest.approx(
        independent_nats(base, rounded, ROWS[0])[0], rel=1e-6
    )


def test_untied_embeddings(tmp_path: Path, untied_base: Path) -> None:
    bench = Bench(tmp_path, untied_base)
    tuned = moved(load_file(untied_base / "model.safetensors"))
    bench.save(tuned)
    nats, tokens = independent_nats(untied_base, tuned, ROWS[0])
    example = bench.evaluate(ROWS[:1]).examples[0]
    assert example.total == pytest.approx(nats, rel=1e-6) and example.weight == tokens


def test_tied_embeddings_may_be_written_out(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    plain = bench.evaluate().lines
    bench.save({**tuned, "lm_head.weight": tuned["model.embed_tokens.weight"].clone()})
    assert bench.evaluate().lines == plain


def test_the_length_is_the_bases_not_the_miners(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    long = [{"instruct": "for name in names: " * 20, "input": "", "output": "print(name) " * 2}]
    same_end = [{"instruct": "for name in names: " * 40, "input": "", "output": "print(name) " * 2}]
    kept, again = bench.evaluate(long).examples[0], bench.evaluate(same_end).examples[0]
    assert kept.weight == again.weight > 1 and kept.total == again.total
    assert bench.evaluate([{"instruct": "x", "output": "print(name) " * 99}]).examples[0].weight == 63
    assert bench.evaluate([{"instruct": "x", "output": "print(name) " * 99}], max_tokens=10).examples[0].weight == 9


def test_formats_of_the_dataset(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    dataset = InstructDataset(
        field_instruction="q", field_output="a", system_prompt="Be brief.", format="{input}? {instruction}"
    )
    styled = bench.evaluate([{"q": "add", "input": "b", "a": "sum"}], dataset_type=dataset).examples[0]
    plain = bench.evaluate([{"instruct": "Be brief.b? add", "output": "sum"}]).examples[0]
    assert styled.total == plain.total


def test_a_diverged_model_is_refused(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned | {"model.norm.weight": torch.full((32,), 3e38)})
    assert bench.evaluate().refusal.startswith("diverged: the loss of test row 0")


@pytest.mark.slow
def test_the_command_gives_the_same_bytes_in_a_process_of_its_own(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    expected, folder = bench.evaluate().lines, bench.write_job()
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "evaluators", folder],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "outputs" / "per_example.jsonl").read_bytes() == expected
