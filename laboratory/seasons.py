"""Seasons: years of tournaments in one world under one rule set, played in chunks of bounded memory."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from math import ceil

import numpy as np

from laboratory.contest import qualify
from laboratory.costs import title_costs
from laboratory.match import measured_gains, most_challenges, play_titles
from laboratory.world import Array, Counts, World
from tournament.rules import DAY_BLOCKS, PooledTitle, TournamentRules

CHUNK_TOURNAMENTS = 50_000


@dataclass(frozen=True)
class Tally:
    """Sums over tournaments."""

    seasons: int = 0
    tournaments: int = 0
    titles: int = 0
    """Matches that the challenger won."""
    best_plays: int = 0
    """Matches whose challenger was the best entrant."""
    best_titles: int = 0
    challenger_gain: float = 0.0
    challenges: int = 0
    hours: float = 0.0
    whole_titles: int = 0
    """Had every match been played to its last challenge."""
    whole_best_titles: int = 0
    whole_challenges: int = 0
    whole_hours: float = 0.0

    @property
    def power(self) -> float | None:
        """Share of the matches of the best entrant that it won; None without such a match."""
        return self.best_titles / self.best_plays if self.best_plays else None

    @property
    def hours_per_tournament(self) -> float:
        return self.hours / self.tournaments

    @property
    def whole_hours_per_tournament(self) -> float:
        return self.whole_hours / self.tournaments

    @property
    def challenges_per_match(self) -> float:
        return self.challenges / self.tournaments

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def play(rules: TournamentRules, world: World, gain: float, seasons: int, seed: int) -> Tally:
    """Whole seasons in which the best entrant is truly better than the champion by `gain`. Same seed, same tally."""
    return sum((_chunk(rules, world, gain, size, rng) for size, rng in _chunks(seasons, world, seed)), Tally())


def _chunks(seasons: int, world: World, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    size = max(1, CHUNK_TOURNAMENTS // world.tournaments_per_year)
    sources = np.random.SeedSequence(seed).spawn(ceil(seasons / size))
    for number, source in enumerate(sources):
        yield min(size, seasons - number * size), np.random.default_rng(source)


def _chunk(rules: TournamentRules, world: World, gain: float, seasons: int, rng: np.random.Generator) -> Tally:
    shape = (seasons, world.tournaments_per_year)
    contenders = qualify(world.skills(seasons * world.tournaments_per_year, gain, rng), rules, world, rng)
    skill = contenders.skill.reshape(shape)
    gains = measured_gains(skill, most_challenges(rules), world, rng)
    verdicts, whole = play_titles(gains, rules, world), play_titles(gains, rules, world, early=False)
    best = skill == gain
    before = float(contenders.hours.sum())
    return Tally(
        seasons=seasons,
        tournaments=skill.size,
        titles=int(verdicts.changed.sum()),
        best_plays=int(best.sum()),
        best_titles=int((verdicts.changed & best).sum()),
        challenger_gain=float(skill.sum()),
        challenges=int(verdicts.challenges.sum()),
        hours=before + float(title_hours(verdicts.challenges, rules, world).sum()),
        whole_titles=int(whole.changed.sum()),
        whole_best_titles=int((whole.changed & best).sum()),
        whole_challenges=int(whole.challenges.sum()),
        whole_hours=before + float(title_hours(whole.challenges, rules, world).sum()),
    )


def title_hours(challenges: Counts, rules: TournamentRules, world: World) -> Array:
    """GPU hours of title matches of so many challenges: two trainings each, and the duels."""
    by_length = np.concatenate([[0.0], np.cumsum(title_costs(rules, most_challenges(rules)))])
    return 2 * by_length[challenges] + duel_hours(rules, world)


def duel_hours(rules: TournamentRules, world: World) -> float:
    """GPU hours a tournament, on average, of the champion's duels with itself: in a title match's first round."""
    if not isinstance(rules.title, PooledTitle):
        return 0.0
    return duel_share(rules, world) * sum(title_costs(rules, rules.title.looks[0]))


def duel_share(rules: TournamentRules, world: World) -> float:
    """Share of the tournaments in which the champion's code duels itself."""
    if not isinstance(rules.title, PooledTitle) or rules.title.duel_blocks is None:
        return 0.0
    return 1 / ceil(rules.title.duel_blocks / DAY_BLOCKS / world.days_between)
