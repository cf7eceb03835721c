"""GRPO measured whole, on a tiny model: the same bytes alone and in company, and the figures by hand."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from core.challenge import ChallengeKind, GrpoDataset
from core.errors import PrerequisiteError
from core.evaluation import GRPO
from core.rewards.contract import of_source
from core.rewards.library import entries
from evaluators import machine
from evaluators.__main__ import main
from evaluators.generation import WRITING
from evaluators.grpo import COMPLETIONS, GrpoChallenge, mean_of, token_kl
from evaluators.loading import load_base
from tests.evaluators.bench import Bench, Result, Tensors
from tests.evaluators.conftest import moved, save_model
from tests.evaluators.test_same_bytes import ARCHITECTURES

PROMPTS: list[dict[str, Any]] = [
    {"prompt": "Say what it does: def add(a, b): return a + b"},
    {"prompt": "Zähle die Namen 🙂", "extra_data": '{"answer": "3"}'},
    {"prompt": "for name in names: " * 20},
    {"prompt": "Return"},
]
FUNCTIONS = (
    entries()["varied_words"].function.model_copy(update={"reward_weight": 3.0}),
    entries()["mostly_letters"].function.model_copy(update={"reward_weight": 1.0}),
)
DATASET = GrpoDataset(reward_functions=FUNCTIONS)


def measure(bench: Bench, rows: list[dict[str, Any]] = PROMPTS, dataset: GrpoDataset = DATASET, **more: Any) -> Result:
    changes = {"kind": ChallengeKind.GRPO, "definition": GRPO, "dataset_type": dataset, "seed": "ab12", **more}
    result = bench.evaluate(rows, **changes)
    assert result.code == 0
    return result


def test_the_value_is_what_the_rows_say(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    result = measure(bench)
    scored, rows = result.scored, result.examples
    assert scored.value == math.fsum(row.total for row in rows) / len(rows)
    assert scored.weight == scored.rows == len(rows) == len(PROMPTS)
    assert [(each.name, each.weight) for each in scored.rewards] == [("varied_words", 0.75), ("mostly_letters", 0.25)]
    for row in rows:
        reward = 0.75 * row.parts["varied_words"] + 0.25 * row.parts["mostly_letters"]
        assert row.total == pytest.approx(reward - 0.5 * row.parts["kl"], abs=1e-12)
        assert row.parts["kl"] > 0 and 0 < row.parts["standard_error"] <= 0.5 / math.sqrt(COMPLETIONS - 1)
    assert scored.kl == pytest.approx(sum(row.parts["kl"] for row in rows) / len(rows))
    assert scored.rewards[0].mean == pytest.approx(sum(row.parts["varied_words"] for row in rows) / len(rows))


def test_the_same_bytes_again_alone_and_in_another_order(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    whole = measure(bench)
    assert measure(bench).lines == whole.lines
    backwards = measure(bench, PROMPTS[::-1]).examples[::-1]
    assert [(row.total, row.parts) for row in backwards] == [(row.total, row.parts) for row in whole.examples]
    for number, prompt in enumerate(PROMPTS):
        (alone,) = measure(bench, [prompt]).examples
        assert (alone.total, alone.parts) == (whole.examples[number].total, whole.examples[number].parts)


def adapter(bench: Bench, base: Path) -> None:
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8}
    (bench.checkpoint / "adapter_config.json").write_text(json.dumps(config))
    random = torch.Generator().manual_seed(4)
    factors: Tensors = {}
    for name, tensor in load_file(base / "model.safetensors").items():
        if name.endswith("q_proj.weight"):
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            factors[f"{stem}.lora_A.weight"] = torch.randn(4, tensor.shape[1], generator=random)
            factors[f"{stem}.lora_B.weight"] = torch.randn(tensor.shape[0], 4, generator=random)
    bench.save(factors, "adapter_model.safetensors")


def test_the_same_bytes_beside_other_models_and_in_another_process(tmp_path: Path, base: Path, tuned: Tensors) -> None:
    jobs = []
    for name in ("full", "lora"):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, base)
        if name == "full":
            bench.save(tuned)
        else:
            adapter(bench, base)
        changes = {"kind": ChallengeKind.GRPO, "definition": GRPO, "dataset_type": DATASET, "seed": "ab12"}
        jobs += [bench.write_job(PROMPTS, **changes) for _ in range(2)]
    full, full_again, lora, lora_again = jobs
    assert main([str(lora), str(full), str(lora_again)]) == 0
    command = [sys.executable, "-m", "evaluators", str(full_again)]
    subprocess.run(command, check=True, env={"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "9"}, capture_output=True)
    for one, other in ((full, full_again), (lora, lora_again)):
        assert Result(0, one / "outputs").lines == Result(0, other / "outputs").lines
    assert Result(0, full / "outputs").scored.value != Result(0, lora / "outputs").scored.value


def challenge(base: Path, max_tokens: int = 4096) -> GrpoChallenge:
    return GrpoChallenge(load_base(base), PROMPTS, DATASET, machine.prepare(), "ab12", max_tokens)


class Watch:
    """What is read; and a machine whose memory has room for so many completions."""

    def __init__(self, model: Any, most: int = COMPLETIONS) -> None:
        self.prompts, self.failures, self.most = 0, 0, most
        model.get_input_embeddings().register_forward_pre_hook(self._look)

    def _look(self, _module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        is_prompt = inputs[0].shape[1] > 1
        self.prompts += is_prompt
        if not is_prompt and len(WRITING.get()) > self.most:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")


@pytest.mark.parametrize("most", [5, 2, 1])
def test_a_lack_of_memory_changes_no_byte(bench: Bench, base: Path, tuned: Tensors, most: int) -> None:
    bench.save(tuned)
    expected, short = challenge(base).measure(bench.checkpoint), challenge(base)
    watch = Watch(short.live.weights.model, most)
    assert short.measure(bench.checkpoint).rows == expected.rows
    assert watch.failures == {5: 1, 2: 2, 1: 3}[most]


@pytest.mark.parametrize("name", ["qwen3", "mistral with a sliding window", "gemma 2, capped", "a mixture of experts"])
def test_architectures(tmp_path: Path, name: str) -> None:
    """Those that are packed elsewhere are divided here; the others write eight completions or none."""
    config, divisible = ARCHITECTURES[name]
    base = save_model(tmp_path / "base", config())
    bench = Bench(tmp_path, base)
    bench.save(moved(load_file(base / "model.safetensors")))
    whole, short = challenge(base, 32), challenge(base, 32)
    expected = whole.measure(bench.checkpoint)
    assert expected.refusal is None and short.live.divisible is divisible
    if divisible:
        Watch(short.live.weights.model, 4)
    assert short.measure(bench.checkpoint).rows == expected.rows


def test_no_memory_for_one_completion_is_ours(bench: Bench, base: Path, tuned: Tensors) -> None:
    bench.save(tuned)
    short = challenge(base)
    Watch(short.live.weights.model, 0)
    with pytest.raises(PrerequisiteError, match="memory is too small for the longest prompt's completions"):
        short.measure(bench.checkpoint)


def test_models_of_one_challenge_share_the_base_and_nothing_else(tmp_path: Path, base: Path, tuned: Tensors) -> None:
    for name in ("full", "lora", "nan", "vast"):
        (tmp_path / name).mkdir()
    folders = {folder.name: Bench(folder, base) for folder in tmp_path.iterdir()}
    folders["full"].save(tuned)
    adapter(folders["lora"], base)
    folders["nan"].save(tuned | {"model.norm.weight": torch.full((32,), torch.nan)})
    folders["vast"].save(tuned | {"model.norm.weight": torch.full((32,), 3e38)})
    alone = {name: challenge(base).measure(folders[name].checkpoint) for name in ("full", "lora")}
    together = challenge(base)
    watch = Watch(together.live.weights.model)
    for name in ("lora", "nan", "full", "vast", "lora", "full"):
        before = watch.prompts
        measurement = together.measure(folders[name].checkpoint)
        if name in alone:
            assert measurement.rows == alone[name].rows
            assert watch.prompts - before == len(PROMPTS)
        else:
            assert measurement.refusal is not None


def test_another_seed_draws_other_completions(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    first, second = measure(bench), measure(bench, seed="ab13")
    assert first.scored.value != second.scored.value
    assert first.scored.kl == second.scored.kl


def test_a_function_that_fails_earns_nothing_and_stops_nobody(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    bomb = of_source("def bomb(completions, **kwargs):\n    return [1 / (len(text) > 10**6) for text in completions]\n")
    sound = measure(bench)
    mixed = measure(bench, dataset=GrpoDataset(reward_functions=(*FUNCTIONS, bomb)))
    assert [each.mean for each in mixed.scored.rewards[:2]] == [each.mean for each in sound.scored.rewards]
    assert mixed.scored.rewards[2].mean == 0
    assert all(row.parts["bomb.failed"] == COMPLETIONS for row in mixed.examples)


def test_functions_get_the_prompt_and_the_extra_column(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    text = (
        "def asks(completions, prompts, extra_data, **kwargs):\n"
        "    pairs = zip(prompts, extra_data, strict=True)\n"
        "    return [float(prompt == 'p' and extra == {'answer': [1]}) for prompt, extra in pairs]\n"
    )
    dataset = GrpoDataset(reward_functions=(of_source(text),), extra_column="extra")
    rows = [{"prompt": "p", "extra": {"answer": [1]}}, {"prompt": "p", "extra": None}, {"prompt": "p"}]
    assert [row.parts["asks"] for row in measure(bench, rows, dataset).examples] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("rows", [[{"prompt": ""}], [{"other": "x"}], [{"prompt": 5}], [{"prompt": "\ud800"}]])
def test_rows_without_a_sound_prompt_are_ours(bench: Bench, tuned: Tensors, rows: list[dict[str, Any]]) -> None:
    bench.save(tuned)
    assert bench.evaluate(rows, kind=ChallengeKind.GRPO, definition=GRPO, dataset_type=DATASET).code == 2


def test_values_beyond_the_bounds_are_cut(bench: Bench, tuned: Tensors) -> None:
    bench.save(tuned)
    much = of_source("def much(completions, **kwargs):\n    return [1e300 for _ in completions]\n")
    little = of_source("def little(completions, **kwargs):\n    return [-5 for _ in completions]\n")
    scored = measure(bench, dataset=GrpoDataset(reward_functions=(much, little))).scored
    assert [each.mean for each in scored.rewards] == [1.0, 0.0]
    assert scored.value == pytest.approx(0.5 - 0.5 * scored.kl)


def test_a_diverged_model_is_refused(bench: Bench, tuned: Tensors) -> None:
    name = next(name for name in tuned if name.endswith("up_proj.weight"))
    tuned[name] = torch.full_like(tuned[name], 3e38)
    bench.save(tuned)
    assert "diverged" in measure(bench).refusal


def test_the_base_itself_is_refused(bench: Bench, base: Path) -> None:
    bench.save(load_file(base / "model.safetensors"))
    assert "not a fine-tune" in measure(bench).refusal


def test_what_is_ours_is_no_refusal(bench: Bench, tuned: Tensors, capsys: pytest.CaptureFixture[str]) -> None:
    bench.save(tuned)
    false = FUNCTIONS[0].model_copy(update={"func_hash": "0" * 64})
    changes = {"kind": ChallengeKind.GRPO, "definition": GRPO}
    spoilt = GrpoDataset(reward_functions=(false,))
    assert bench.evaluate(PROMPTS, **changes, dataset_type=spoilt).code == 2
    assert "func_hash is not the SHA-256 of its text" in capsys.readouterr().err
    weightless = GrpoDataset(reward_functions=(FUNCTIONS[0].model_copy(update={"reward_weight": 0.0}),))
    assert bench.evaluate(PROMPTS, **changes, dataset_type=weightless).code == 2
    assert "give one a weight above 0" in capsys.readouterr().err


def test_divergence_by_hand() -> None:
    base = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.9, 0.05, 0.05]]))
    fine = torch.log(torch.tensor([[0.25, 0.5, 0.25], [0.9, 0.05, 0.05]])) + 3
    assert mean_of(token_kl(base, fine)) == pytest.approx(0.25 * math.log(2) / 2, abs=1e-7)
    assert mean_of(token_kl(base, base)) == 0
    assert math.isnan(mean_of(token_kl(base, torch.full_like(base, torch.nan))))
