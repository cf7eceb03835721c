import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, MistralConfig, PretrainedConfig

from core.errors import SubmissionError
from evaluators import loading
from evaluators.generation import BLOCK, ROWS, choose, draw, prepare, uniform
from evaluators.machine import Device
from tests.evaluators.conftest import save_model

SHAPE = {
    "hidden_size": 192,
    "intermediate_size": 344,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
}
CPU = Device(torch.device("cpu"), torch.float32, tile=64, budget=2048, workers=1)


def test_uniform_numbers_are_fixed_for_ever() -> None:
    assert uniform("ab12", "00" * 32, 0, 0) == 0.3519928010615585
    numbers = [uniform("s", "p", each, place) for each in range(40) for place in range(100)]
    assert len(set(numbers)) == 4000 and min(numbers) >= 0 and max(numbers) < 1
    assert abs(sum(numbers) / 4000 - 0.5) < 4 / math.sqrt(12 * 4000)


@given(
    weights=st.lists(st.integers(0, 5), min_size=1, max_size=3 * BLOCK // 2).filter(any),
    u=st.floats(0, 1, exclude_max=True),
)
def test_a_token_is_where_the_running_sum_first_exceeds(weights: list[int], u: float) -> None:
    (token,) = choose(torch.tensor([weights], dtype=torch.float64).log(), [u])
    scaled = [round(math.exp(math.log(weight)), 12) if weight else 0 for weight in weights]
    assert weights[token] > 0
    before, target = sum(scaled[:token]), u * sum(scaled)
    assert before - 1e-6 <= target <= before + scaled[token] + 1e-6


def test_tokens_come_as_often_as_the_softmax_says() -> None:
    logits = torch.randn(2 * BLOCK + 7, generator=torch.Generator().manual_seed(3)) * 4
    count = 20_000
    drawn = Counter(choose(logits.expand(count, -1), [(each + 0.5) / count for each in range(count)]))
    for token, share in enumerate(logits.double().softmax(-1).tolist()):
        assert abs(drawn[token] - count * share) <= 2


def test_a_certain_token_and_one_that_cannot_be() -> None:
    logits = torch.full((2, 700), -torch.inf)
    logits[:, 650] = 0
    assert choose(logits, [0.0, 1 - 2**-53]) == [650, 650]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_no_numbers(bad: float) -> None:
    logits = torch.zeros(1, 9)
    logits[0, 4] = bad
    with pytest.raises(SubmissionError, match="diverged"):
        choose(logits, [0.5])


@pytest.mark.parametrize("config", [LlamaConfig(**SHAPE), MistralConfig(**SHAPE, sliding_window=8)])
def test_the_cache_changes_no_token(tmp_path: Path, config: PretrainedConfig) -> None:
    """Against the definition said plainly: the whole text read anew for every token, one completion at a time."""
    read = loading.load_base(save_model(tmp_path / "base", config))
    plain, model = (loading.build_model(read, loading.base_state(read, torch.float32), CPU) for _ in range(2))
    prepare(model)
    prompt, seed, key = tuple(range(40, 53)), "ab", "cd"
    drawn = draw(model, prompt, seed, key, range(3), 12, frozenset({1}))
    for number, written in enumerate(drawn.completions):
        tokens = list(prompt)
        with torch.inference_mode():
            for place in range(12):
                logits = plain(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1:]
                (token,) = choose(logits, [uniform(seed, key, number, place)])
                if token == 1:
                    break
                tokens.append(token)
        assert tuple(tokens[len(prompt) :]) == written
    assert len(set(drawn.completions)) == 3 and drawn.prompt_hidden.shape == (13, 192)


@pytest.mark.parametrize("config", [SHAPE, SHAPE | {"num_key_value_heads": 4}], ids=["grouped", "full"])
def test_company_changes_no_bit(tmp_path: Path, config: dict[str, int]) -> None:
    """Of the states from which tokens are drawn: eight together, some of them, each alone."""
    read = loading.load_base(save_model(tmp_path / "base", LlamaConfig(**config)))
    model = loading.build_model(read, loading.base_state(read, torch.float32), CPU)
    prepare(model)
    states: list[torch.Tensor] = []
    model.base_model.register_forward_hook(lambda _module, _inputs, outputs: states.append(outputs[0][:, -1]))

    def drawn(numbers: range) -> tuple[torch.Tensor, tuple[tuple[int, ...], ...]]:
        states.clear()
        completions = draw(model, range(40, 71), "ab", "cd", numbers, 9, frozenset()).completions
        return torch.stack(states[1:], dim=1)[numbers.start : numbers.stop], completions

    together, completions = drawn(range(ROWS))
    for numbers in (range(4), range(4, 8), range(2, 7), *(range(at, at + 1) for at in range(ROWS))):
        some, written = drawn(numbers)
        assert torch.equal(some, together[numbers.start : numbers.stop])
        assert written == completions[numbers.start : numbers.stop]


def test_a_completion_ends_where_the_base_ends_texts(base: Path) -> None:
    read = loading.load_base(base)
    model = loading.build_model(read, loading.base_state(read, torch.float32), CPU)
    prepare(model)
    free = draw(model, (0, 40), "ab", "cd", range(2), 6, frozenset())
    assert [len(written) for written in free.completions] == [6, 6]
    third = free.completions[0][2]
    ended = draw(model, (0, 40), "ab", "cd", range(2), 6, frozenset({third}))
    assert ended.completions[0] == free.completions[0][: free.completions[0].index(third)]
    if third not in free.completions[1]:
        assert ended.completions[1] == free.completions[1]
