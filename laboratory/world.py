"""The world that rule sets are tried in: how good entrants are, and how far measurements scatter."""

from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class World:
    """Relative quantities are shares of the loss: 0.01 is one per cent.

    A contestant's merit on a challenge is its true skill + its effect on this challenge + training noise + the noise of
    the test examples, all normal (the mean of hundreds of heavy-tailed examples is). The champion's skill is 0.
    """

    entrants: int = 16
    field_spread: float = 0.02
    """The best entrant apart, everybody's skill lies |N(0, field_spread²)| below the best."""
    tournaments_per_year: int = 52
    base_loss: float = 1.2
    """Nats; makes nats relative."""
    seed_noise: float = 0.006
    """S.d. of one training's loss over seeds, nats."""
    example_noise: float = 0.12
    """S.d. of the difference of two models on one test example, nats."""
    examples: int = 400
    challenge_spread: float = 0.005
    """S.d. over challenges of the true gain of one contestant over another."""
    failure_rate: float = 0.0
    """Share of trainings that end without a valid result, by the contestant's own fault."""

    @property
    def training_sd(self) -> float:
        """Of one training, relative."""
        return self.seed_noise / self.base_loss

    @property
    def example_sd(self) -> float:
        """Of the difference of two contestants on one challenge, from its test examples, relative."""
        return self.example_noise / sqrt(self.examples) / self.base_loss

    @property
    def gain_sd(self) -> float:
        """Of one contestant's measured gain over another on one challenge, relative."""
        return hypot(self.challenge_spread, sqrt(2) * self.training_sd, self.example_sd)

    @property
    def merit_sd(self) -> float:
        """Of one contestant on one challenge that is shared with others: half of a gain's variance."""
        return self.gain_sd / sqrt(2)

    @property
    def days_between(self) -> float:
        """From one tournament to the next."""
        return DAYS_A_YEAR / self.tournaments_per_year

    def skills(self, tournaments: int, gain: float, rng: np.random.Generator) -> Array:
        """(tournaments, entrants): true gains over the champion; the first entrant is the best."""
        behind = np.abs(normal(rng, (tournaments, self.entrants))) * self.field_spread
        behind[:, 0] = 0.0
        return gain - behind


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, drawn in single precision (twice as fast) for arithmetic in double."""
    return rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
