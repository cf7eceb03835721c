"""The arithmetic of the clock."""

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

seconds = st.floats(0, 1e5)
spans = st.floats(1e-3, 1e3)
counts = st.integers(0, 10**6)


@given(seconds, spans, spans, counts)
def test_a_plan_never_goes_past_its_time(train: ModuleType, left: float, step: float, check: float, most: int) -> None:
    plan = train.plan(left, step, check, most)
    checks_between = max(0, plan.steps - 1) // plan.every
    assert 0 <= plan.steps <= most
    assert plan.steps == 0 or plan.steps * step + max(1, checks_between) * check <= left * (1 + 1e-9)


@given(seconds, seconds, spans, spans, counts)
def test_more_time_never_means_fewer_steps(
    train: ModuleType, left: float, more: float, step: float, check: float, most: int
) -> None:
    assert train.plan(left, step, check, most).steps <= train.plan(left + more, step, check, most).steps


@given(seconds, spans, spans, spans)
def test_slower_steps_never_mean_more_of_them(
    train: ModuleType, left: float, step: float, slower: float, check: float
) -> None:
    assert train.plan(left, step + slower, check, 10**6).steps <= train.plan(left, step, check, 10**6).steps


@given(st.integers(1, 10**5))
def test_the_rate_warms_up_then_only_falls_to_its_end(train: ModuleType, steps: int) -> None:
    shares = [train.rate_share(step, steps) for step in range(0, steps + 1, max(1, steps // 200))]
    peak = shares.index(max(shares))
    assert all(0 < share <= 1 for share in shares)
    assert shares[: peak + 1] == sorted(shares[: peak + 1]) and shares[peak:] == sorted(shares[peak:], reverse=True)


def test_the_rate_ends_low(train: ModuleType) -> None:
    assert train.rate_share(1000, 1000) == pytest.approx(train.FINAL_RATE_SHARE)


@given(seconds, spans, spans)
def test_batches_stay_within_their_bounds(train: ModuleType, left: float, speed: float, more: float) -> None:
    tokens = train.batch_tokens(left, speed)
    assert train.MIN_BATCH_TOKENS <= tokens <= train.batch_tokens(left, speed + more) <= train.MAX_BATCH_TOKENS


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
    train: ModuleType, seconds_: float, parameters: float, gpus: int, expected: tuple[bool, bool, int, bool]
) -> None:
    assert train.choose_method(seconds_, parameters, 80e9, gpus) == train.Method(*expected)


def test_smaller_models_learn_faster_and_adapters_at_one_rate(train: ModuleType) -> None:
    assert train.peak_rate(4e6, lora=False) > train.peak_rate(4e8, lora=False) > train.peak_rate(8e9, lora=False)
    assert train.peak_rate(4e6, lora=True) == train.peak_rate(8e9, lora=True)


def test_the_clock_counts_from_the_process_start(train: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "process_age", lambda: 7.5)
    clock = train.Clock(60)
    assert 7.5 <= clock.elapsed() < 8.5 and clock.left() == pytest.approx(60 - clock.margin - 7.5, abs=1)


def test_the_start_of_the_process_is_found() -> None:
    """In a process of its own: this one may be older than any that a container starts with."""
    script = "import runpy, sys, time; time.sleep(0.5); print(runpy.run_path(sys.argv[1])['process_age']())"
    path = Path(__file__).parents[2] / "miner_templates/text/train.py"
    told = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert 0.5 < float(told.stdout) < 60


def test_processes_started_by_torchrun_read_the_same_clock(train: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(train.STARTED, str(time.monotonic() - 40))
    assert 40 <= train.Clock(60).elapsed() < 41


def test_after_sigterm_there_is_no_time_left(train: ModuleType) -> None:
    clock = train.Clock(3600)
    clock.terminated = True
    assert train.plan(clock.left(), 1, 1, 10).steps == 0
