"""What seasons say about a rule set: the figures of `god simulate`."""

from dataclasses import replace

from scipy import stats

from core.value import Frozen
from laboratory.match import affordable
from laboratory.noise import NoiseModel
from laboratory.seasons import Tally, play
from laboratory.world import World
from tournament.rules import PooledTitle, TournamentRules

Interval = tuple[float, float]


class Scenarios(Frozen):
    """A mean per tournament or match: where the best entrant equals the champion, and where it has the gain."""

    null: float
    gain: float

    @property
    def average(self) -> float:
        return (self.null + self.gain) / 2


class Whole(Frozen):
    """Had every title match been played to its last challenge, with one look there."""

    false_dethronings_per_year: float
    power: float | None
    gpu_hours_per_tournament: float
    title_challenges: float


class Report(Frozen):
    rules: str
    seasons: int
    """Years played in each scenario."""
    tournaments_per_year: int
    entrants: int
    gain: float
    """True relative gain of the best entrant over the champion."""
    seed_noise_nats: float
    seed: int
    alpha_per_match: float | None
    false_dethronings_per_year: float
    """Titles that changed hands although nobody was better than the champion."""
    false_dethronings_per_year_interval: Interval
    """95 %, as the other intervals."""
    false_dethronings_if_all_are_equal: float
    """A year in which every entrant equals the champion: the most that the rules err."""
    false_dethronings_if_all_are_equal_interval: Interval
    power: float | None
    """Share of the matches of a challenger with the gain that it won; None when there was no such match."""
    power_interval: Interval | None
    best_entrant_wins: float
    """Share of the tournaments whose best entrant came through to challenge."""
    best_holds_title: float
    """And won the title."""
    title_changes: float
    """Share of the tournaments that ended with a new champion, the best entrant or another."""
    challenger_shortfall: float
    """By how much the challenger's true gain was below the best entrant's, on average."""
    title_challenges: Scenarios
    gpu_hours_per_tournament: float
    """Mean of the two scenarios."""
    gpu_hours: Scenarios
    without_early_stopping: Whole
    noise: NoiseModel


def simulate(rules: TournamentRules, world: World, noise: NoiseModel, gain: float, seasons: int, seed: int) -> Report:
    """Play the scenarios. Same arguments, same report."""
    world = noise.applied(world)
    null, better = play(rules, world, 0.0, seasons, seed), play(rules, world, gain, seasons, seed)
    equals = play(rules, replace(world, field_spread=0.0), 0.0, seasons, seed)
    hours = Scenarios(null=null.hours_per_tournament, gain=better.hours_per_tournament)
    return Report(
        rules=rules.name,
        seasons=seasons,
        tournaments_per_year=world.tournaments_per_year,
        entrants=world.entrants,
        gain=gain,
        seed_noise_nats=world.seed_noise,
        seed=seed,
        alpha_per_match=_alpha(rules, world),
        false_dethronings_per_year=null.titles / seasons,
        false_dethronings_per_year_interval=rate_interval(null.titles, seasons),
        false_dethronings_if_all_are_equal=equals.titles / seasons,
        false_dethronings_if_all_are_equal_interval=rate_interval(equals.titles, seasons),
        power=better.power,
        power_interval=share_interval(better.best_titles, better.best_plays),
        best_entrant_wins=better.best_plays / better.tournaments,
        best_holds_title=better.best_titles / better.tournaments,
        title_changes=better.titles / better.tournaments,
        challenger_shortfall=gain - better.challenger_gain / better.tournaments,
        title_challenges=Scenarios(null=null.challenges_per_match, gain=better.challenges_per_match),
        gpu_hours_per_tournament=hours.average,
        gpu_hours=hours,
        without_early_stopping=_whole(null, better),
        noise=noise,
    )


def _alpha(rules: TournamentRules, world: World) -> float | None:
    if not isinstance(rules.title, PooledTitle):
        return None
    return float(affordable(rules.title, world.days_between).alpha)


def _whole(null: Tally, better: Tally) -> Whole:
    return Whole(
        false_dethronings_per_year=null.whole_titles / null.seasons,
        power=better.whole_best_titles / better.best_plays if better.best_plays else None,
        gpu_hours_per_tournament=(null.whole_hours_per_tournament + better.whole_hours_per_tournament) / 2,
        title_challenges=null.whole_challenges / null.tournaments,
    )


def share_interval(count: int, of: int) -> Interval | None:
    """95 %, Wilson's."""
    if not of:
        return None
    found = stats.binomtest(count, of).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def rate_interval(count: int, seasons: int) -> Interval:
    """95 % of events a season, exact for a Poisson count."""
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low) / seasons, float(stats.chi2.ppf(0.975, 2 * count + 2)) / 2 / seasons
