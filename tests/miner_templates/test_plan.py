"""The arithmetic of the clock."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainer import clock, recipe

from tests.miner_templates.conftest import TEMPLATE

seconds = st.floats(0, 1e5)
spans = st.floats(1e-3, 1e3)
counts = st.integers(0, 10**6)


@given(seconds, spans, spans, counts)
def test_a_plan_never_goes_past_its_time(left: float, step: float, check: float, most: int) -> None:
    plan = clock.plan(left, step, check, most)
    checks_between = max(0, plan.steps - 1) // plan.every
    assert 0 <= plan.steps <= most
    assert plan.steps == 0 or plan.steps * step + max(1, checks_between) * check <= left * (1 + 1e-9)


@given(seconds, seconds, spans, spans, counts)
def test_more_time_never_means_fewer_steps(left: float, more: float, step: float, check: float, most: int) -> None:
    assert clock.plan(left, step, check, most).steps <= clock.plan(left + more, step, check, most).steps


@given(seconds, spans, spans, spans)
def test_slower_steps_never_mean_more_of_them(left: float, step: float, slower: float, check: float) -> None:
    assert clock.plan(left, step + slower, check, 10**6).steps <= clock.plan(left, step, check, 10**6).steps


@given(st.integers(1, 10**5))
def test_the_rate_warms_up_then_only_falls_to_its_end(steps: int) -> None:
    shares = [clock.rate_share(step, steps) for step in range(0, steps + 1, max(1, steps // 200))]
    peak = shares.index(max(shares))
    assert all(0 < share <= 1 for share in shares)
    assert shares[: peak + 1] == sorted(shares[: peak + 1]) and shares[peak:] == sorted(shares[peak:], reverse=True)


def test_the_rate_ends_low() -> None:
    assert clock.rate_share(1000, 1000) == pytest.approx(recipe.FINAL_RATE_SHARE)


@given(seconds, spans, spans)
def test_batches_stay_within_their_bounds(left: float, speed: float, more: float) -> None:
    tokens = clock.batch_tokens(left, speed)
    assert recipe.MIN_BATCH_TOKENS <= tokens <= clock.batch_tokens(left, speed + more) <= recipe.MAX_BATCH_TOKENS


@pytest.mark.parametrize(
    ("seconds_", "parameters", "gpus", "expected"),
    [
        (30, 4e6, 0, (False, False, 1, False)),  # a tiny model on a CPU: the lean loop
        (3600, 1e9, 1, (False, True, 1, False)),  # fits whole
        (3600, 1e9, 8, (False, True, 8, False)),
        (3600, 8e9, 8, (True, True, 8, False)),  # adapters on each GPU
        (7200, 70e9, 8, (True, True, 1, True)),  # too large for one GPU even in bfloat16
        (30, 8e9, 1, (True, True, 1, False)),
    ],
)
def test_the_method_fits_model_machine_and_clock(
    seconds_: float, parameters: float, gpus: int, expected: tuple[bool, bool, int, bool]
) -> None:
    assert clock.choose_method(seconds_, parameters, 80e9, gpus) == clock.Method(*expected)


def test_rewards_are_learnt_by_adapters_on_long_clocks_and_copies_of_the_base_need_room() -> None:
    assert clock.choose_method(3600, 1e9, 80e9, 1, by_rewards=True).lora
    assert not clock.choose_method(30, 4e6, 80e9, 0, by_rewards=True).lora
    assert not clock.choose_method(3600, 2.6e9, 80e9, 1).lora
    assert clock.choose_method(3600, 2.6e9, 80e9, 1, compares=True).lora


def test_smaller_models_learn_faster_and_adapters_at_one_rate() -> None:
    assert clock.peak_rate(4e6, lora=False) > clock.peak_rate(4e8, lora=False) > clock.peak_rate(8e9, lora=False)
    assert clock.peak_rate(4e6, lora=True) == clock.peak_rate(8e9, lora=True)


def test_the_clock_counts_from_the_process_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "process_age", lambda: 7.5)
    ours = clock.Clock(60)
    assert 7.5 <= ours.elapsed() < 8.5 and ours.left() == pytest.approx(60 - ours.margin - 7.5, abs=1)


def test_the_start_of_the_process_is_found() -> None:
    """In a process of its own: this one may be older than any that a container starts with."""
    script = "import sys, time; time.sleep(0.5); from trainer.clock import process_age; print(process_age())"
    told = subprocess.run([sys.executable, "-c", script], cwd=TEMPLATE, capture_output=True, text=True, check=True)
    assert 0.5 < float(told.stdout) < 60


def test_processes_started_by_torchrun_read_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clock.STARTED, str(time.monotonic() - 40))
    assert 40 <= clock.Clock(60).elapsed() < 41


def test_after_sigterm_there_is_no_time_left() -> None:
    ours = clock.Clock(3600)
    ours.terminated = True
    assert clock.plan(ours.left(), 1, 1, 10).steps == 0
