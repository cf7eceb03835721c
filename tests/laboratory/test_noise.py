"""The noise model: found again in matches that were made with a known one."""

import numpy as np
import pytest

from core.ids import Hotkey
from core.tournament import TitleChallenge, TitleResult
from laboratory.noise import NoiseModel, fit, stated
from laboratory.world import World
from tests import builders

WORLD = World()


def recorded(matches, seed_noise, spread, rng, duels=True):
    """Title matches of six challenges in a world with this noise."""
    training, error = seed_noise / WORLD.base_loss, 0.004

    def challenge(number):
        gain = rng.normal(0.01, spread) + training * (rng.normal() - rng.normal()) + error * rng.normal()
        mirror = training * (rng.normal() - rng.normal()) + error * rng.normal()
        return TitleChallenge(
            challenge_id=f"c{number}",
            champion_value=1.0,
            challenger_value=1.0,
            winner=None,
            why="",
            gain=repr(gain),
            standard_error=str(error),
            mirror_gain=repr(mirror) if duels else None,
        )

    return [title(tuple(challenge(number) for number in range(6))) for _ in range(matches)]


def title(challenges):
    hotkey: Hotkey = builders.hotkey(1)
    return TitleResult(
        challenger=hotkey,
        champion=hotkey,
        threshold="0",
        challenges=challenges,
        winner=hotkey,
        changed_hands=False,
        why="",
    )


@pytest.mark.parametrize("seed_noise", [0.003, 0.012])
def test_the_noise_of_training_is_found_again(seed_noise):
    model = fit(recorded(60, seed_noise, 0.006, np.random.default_rng(1)), WORLD)
    assert model.seed_noise == pytest.approx(seed_noise, rel=0.15)
    assert model.challenge_spread == pytest.approx(0.006, rel=0.25)
    assert model.example_sd == pytest.approx(0.004) and model.duels == 360
    low, high = model.seed_noise_interval
    assert low < model.seed_noise < high and "360 duels" in model.source


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    intervals = [fit(recorded(3, 0.01, 0.005, rng), WORLD).seed_noise_interval for _ in range(300)]
    covered = sum(low <= 0.01 <= high for low, high in intervals)
    assert 0.91 <= covered / 300 <= 0.985


@pytest.mark.parametrize("titles", [[], recorded(5, 0.01, 0.005, np.random.default_rng(3), duels=False)])
def test_without_duels_the_stated_noise_is_taken_and_said_so(titles):
    model = fit(titles, WORLD)
    assert (model.seed_noise, model.example_sd, model.duels) == (WORLD.seed_noise, WORLD.example_sd, 0)
    assert "stated, not measured" in model.source and "0 duels" in model.source


def test_no_noise_is_never_negative():
    """Duels that agree better than their test examples allow."""
    model = fit(recorded(5, 0.0, 0.0, np.random.default_rng(4)), WORLD)
    assert 0 <= model.seed_noise < 0.002 and model.challenge_spread >= 0


def test_a_model_makes_its_world():
    model = NoiseModel(seed_noise=0.009, example_sd=0.003, challenge_spread=0.007, source="test")
    world = model.applied(WORLD)
    assert (world.seed_noise, world.challenge_spread) == (0.009, 0.007)
    assert world.example_sd == pytest.approx(0.003)
    assert stated(WORLD).applied(WORLD) == WORLD
