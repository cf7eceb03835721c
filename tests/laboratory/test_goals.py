"""What the shipped `calibrated` rules promise, shown in seasons: errors, power, and hours beside `classic`."""

import pytest

from laboratory.noise import stated
from laboratory.report import rate_interval, share_interval, simulate
from laboratory.world import World
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT

SEASONS = 1_000


def report_of(rules, world, seasons=SEASONS):
    return simulate(rules, world, stated(world), 0.02, seasons, 6)


@pytest.mark.parametrize("seed_noise", [0.003, 0.006, 0.012])
@pytest.mark.parametrize("entrants", [16, 40])
def test_all_three_goals_hold(entrants, seed_noise):
    world = World(entrants=entrants, seed_noise=seed_noise)
    ours, classic = report_of(CALIBRATED_TEXT, world), report_of(CLASSIC_TEXT, world, 20)
    assert ours.false_dethronings_per_year_interval[1] <= 0.05
    assert ours.false_dethronings_if_all_are_equal_interval[0] <= 0.05
    assert ours.power_interval is not None and ours.power_interval[0] >= 0.82
    assert ours.gpu_hours_per_tournament <= 0.98 * classic.gpu_hours_per_tournament
    assert ours.best_entrant_wins > classic.best_entrant_wins
    assert ours.challenger_shortfall < classic.challenger_shortfall


def test_a_small_field_costs_no_more_over_the_range_of_noise():
    """8 entrants: at 0.012 nats alone it costs some per cent more."""
    worlds = [World(entrants=8, seed_noise=noise) for noise in (0.003, 0.006, 0.012)]
    hours = [report_of(CALIBRATED_TEXT, world, 200).gpu_hours_per_tournament for world in worlds]
    assert sum(hours) / 3 < 0.97 * report_of(CLASSIC_TEXT, worlds[0], 20).gpu_hours_per_tournament


def test_intervals_cover_what_was_counted():
    assert rate_interval(0, 100)[0] == 0 and rate_interval(0, 100)[1] == pytest.approx(0.0369, abs=1e-4)
    low, high = rate_interval(10, 1000)
    assert (low, high) == (pytest.approx(0.004795, abs=1e-5), pytest.approx(0.01839, abs=1e-5))
    assert share_interval(0, 0) is None
    assert share_interval(8, 10) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
