"""The noise of training, fitted from recorded tournaments: how far the champion's code is from itself."""

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt
from statistics import fmean, variance

from scipy import stats

from core.tournament import TitleChallenge, TitleResult
from core.value import Frozen
from laboratory.world import World

LEAST_DUELS = 2


class NoiseModel(Frozen):
    """What the world's scatter is taken to be, and where that comes from."""

    seed_noise: float
    """S.d. of one training's loss over seeds, nats."""
    seed_noise_interval: tuple[float, float] | None = None
    """95 %, from the χ² distribution of the duels' gains."""
    example_sd: float
    """Of a gain on one challenge, from its test examples, relative."""
    challenge_spread: float
    """S.d. over challenges of the true gain of one contestant over another, relative."""
    duels: int = 0
    """Challenges on which the champion's code met itself."""
    source: str

    def applied(self, world: World) -> World:
        example_noise = self.example_sd * world.base_loss * sqrt(world.examples)
        return replace(
            world,
            seed_noise=self.seed_noise,
            example_noise=example_noise,
            challenge_spread=self.challenge_spread,
        )


def stated(world: World, why: str = "stated, not measured") -> NoiseModel:
    """The world's own numbers."""
    return NoiseModel(
        seed_noise=world.seed_noise,
        example_sd=world.example_sd,
        challenge_spread=world.challenge_spread,
        source=why,
    )


def fit(titles: Iterable[TitleResult], world: World) -> NoiseModel:
    """The noise that recorded title matches show; what they do not show is taken from the world, and said so.

    A duel's gain has the variance 2 s² + e²: s of one training, e of the test examples, which is known for each
    challenge. Its true mean is 0, so that n duels have n degrees of freedom.
    """
    played = [[challenge for challenge in title.challenges if challenge.gain is not None] for title in titles]
    duels = [challenge for match in played for challenge in match if challenge.mirror_gain is not None]
    if len(duels) < LEAST_DUELS:
        return stated(world, f"stated, not measured: the store has {len(duels)} duels and {LEAST_DUELS} are needed")
    example_sd = _example_sd([challenge for match in played for challenge in match], world)
    squares = fmean(float(challenge.mirror_gain or 0) ** 2 for challenge in duels)
    low, high = (squares * len(duels) / float(stats.chi2.ppf(level, len(duels))) for level in (0.975, 0.025))
    training = _training_nats(squares, example_sd, world)
    return NoiseModel(
        seed_noise=training,
        seed_noise_interval=(_training_nats(low, example_sd, world), _training_nats(high, example_sd, world)),
        example_sd=example_sd,
        challenge_spread=_challenge_spread(played, example_sd, training / world.base_loss, world),
        duels=len(duels),
        source=f"fitted from {len(duels)} duels of the champion's code with itself",
    )


def _example_sd(challenges: list[TitleChallenge], world: World) -> float:
    """Root mean square of the recorded standard errors."""
    errors = [float(challenge.standard_error) for challenge in challenges if challenge.standard_error is not None]
    return sqrt(fmean(error**2 for error in errors)) if errors else world.example_sd


def _training_nats(duel_variance: float, example_sd: float, world: World) -> float:
    return sqrt(max(0.0, duel_variance - example_sd**2) / 2) * world.base_loss


def _challenge_spread(played: list[list[TitleChallenge]], example_sd: float, training_sd: float, world: World) -> float:
    """What the scatter of the gains within matches leaves when training and examples are taken off."""
    matches = [[float(challenge.gain or 0) for challenge in match] for match in played if len(match) > 1]
    freedom = sum(len(match) - 1 for match in matches)
    if not freedom:
        return world.challenge_spread
    within = sum((len(match) - 1) * variance(match) for match in matches) / freedom
    return sqrt(max(0.0, within - example_sd**2 - 2 * training_sd**2))
