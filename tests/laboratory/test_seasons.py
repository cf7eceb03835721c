"""Seasons: costs by hand, reproducible, monotone where they must be."""

from dataclasses import replace

import pytest

from core.challenge import ChallengeKind
from core.tournament import RoundType
from laboratory.costs import pair_cost, title_costs, training_cost, training_gpus, training_hours
from laboratory.seasons import CHUNK_TOURNAMENTS, duel_share, play
from laboratory.world import World
from tournament.rules import CALIBRATED_TEXT, CLASSIC_IMAGE, CLASSIC_TEXT, DEMO

GROUP, KNOCKOUT, TITLE = RoundType


@pytest.mark.parametrize(
    ("type_", "kind", "gpus"),
    [
        (GROUP, ChallengeKind.INSTRUCT, 1.0),
        (GROUP, ChallengeKind.DPO, 1.2978),  # log 3 / log 40 of the sizes need two
        (KNOCKOUT, ChallengeKind.INSTRUCT, 1.2295),  # log 3 / log 120 need two
        (KNOCKOUT, ChallengeKind.DPO, 1.9179),
        (KNOCKOUT, ChallengeKind.GRPO, 1.6638),
        (TITLE, ChallengeKind.INSTRUCT, 0.8 * 1.2295 + 0.2 * 5.2910),
    ],
)
def test_gpus_by_hand(type_, kind, gpus):
    assert training_gpus(CLASSIC_TEXT, type_, kind) == pytest.approx(gpus, abs=2e-4)


def test_hours_are_the_mean_of_the_bands_and_fixed_where_the_rules_fix_them():
    assert training_hours(CLASSIC_TEXT, KNOCKOUT) == pytest.approx(3.7)
    assert training_hours(CLASSIC_TEXT, GROUP) == 2.0
    assert training_hours(DEMO, TITLE) == pytest.approx(45 / 3600)
    assert training_cost(CLASSIC_IMAGE, TITLE, ChallengeKind.IMAGE) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("entrants", "groups", "pairs"), [(1, 0, 0), (2, 0, 1), (8, 0, 7), (16, 16, 7), (40, 40 + 16, 7)]
)
def test_classic_tournaments_cost_what_their_trainings_do(entrants, groups, pairs):
    """reference §1.10: 8 entrants play 4, 2 and 1 pairs; 40 play two groups, one group of 16, and pairs."""
    tally = play(CLASSIC_TEXT, World(entrants=entrants, tournaments_per_year=4), 0.02, 3, 1)
    expected = groups * 2.0 + 2 * pairs * pair_cost(CLASSIC_TEXT) + 2 * sum(title_costs(CLASSIC_TEXT, 6))
    assert tally.hours / tally.tournaments == pytest.approx(expected)


def test_the_same_seed_gives_the_same_seasons():
    seasons = CHUNK_TOURNAMENTS // 52 + 40
    first, again, other = (play(CALIBRATED_TEXT, World(), 0.01, seasons, seed) for seed in (4, 4, 5))
    assert first == again != other
    assert (first.seasons, first.tournaments) == (seasons, 52 * seasons)


def test_a_better_challenger_takes_the_title_more_often():
    tallies = [play(CALIBRATED_TEXT, World(), gain, 100, 2) for gain in (0.0, 0.005, 0.01, 0.015, 0.02, 0.03)]
    powers = [tally.best_titles / tally.best_plays for tally in tallies]
    assert powers == sorted(powers) and powers[0] < 0.01 < 0.9 < powers[-1]


def test_among_equals_everybody_is_the_best():
    tally = play(CALIBRATED_TEXT, World(field_spread=0.0), 0.02, 20, 2)
    assert tally.best_plays == tally.tournaments and tally.challenger_gain == pytest.approx(0.02 * tally.tournaments)


def test_more_noise_hides_the_best():
    quiet, loud = (play(CLASSIC_TEXT, World(seed_noise=noise), 0.02, 50, 2) for noise in (0.001, 0.03))
    assert quiet.best_plays > 1.5 * loud.best_plays and quiet.challenger_gain > loud.challenger_gain


def test_early_stopping_saves_hours_and_little_power():
    tally = play(CALIBRATED_TEXT, World(), 0.02, 50, 2)
    assert tally.hours < 0.8 * tally.whole_hours and tally.challenges < tally.whole_challenges
    assert tally.best_titles > 0.97 * tally.whole_best_titles


def test_failures_cost_the_challenger_titles():
    sound, frail = (play(CALIBRATED_TEXT, World(failure_rate=rate), 0.02, 50, 2) for rate in (0.0, 0.1))
    assert frail.titles < 0.7 * sound.titles


@pytest.mark.parametrize(("tournaments", "share"), [(52, 1 / 5), (12, 1.0), (365, 1 / 30)])
def test_the_champion_duels_itself_once_in_thirty_days(tournaments, share):
    assert duel_share(CALIBRATED_TEXT, replace(World(), tournaments_per_year=tournaments)) == pytest.approx(share)
    assert duel_share(CLASSIC_TEXT, World()) == 0.0
