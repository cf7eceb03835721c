"""The rounds before the title match, for many tournaments at once: groups, then pairs, until one is left."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from core.tournament import RoundType
from laboratory.costs import pair_cost, training_cost
from laboratory.world import Array, World, normal
from tournament.rules import Pairs, TournamentRules


class Qualified(NamedTuple):
    """Who came through to challenge the champion."""

    skill: Array
    """(n,): true gain over the champion."""
    hours: Array
    """(n,): GPU hours of all rounds."""


def qualify(skills: Array, rules: TournamentRules, world: World, rng: np.random.Generator) -> Qualified:
    """Play (n, entrants) skills down to one contender each.

    A contestant without a valid result ranks below everybody who has one; where nobody has, chance decides.
    """
    hours = np.zeros(len(skills))
    while skills.shape[1] > 1:
        skills = rng.permuted(skills, axis=1)
        play = play_pairs if skills.shape[1] <= rules.knockout_limit else play_groups
        skills, spent = play(skills, rules, world, rng)
        hours += spent
    return Qualified(skills[:, 0], hours)


def play_groups(
    skills: Array, rules: TournamentRules, world: World, rng: np.random.Generator
) -> tuple[Array, float | Array]:
    """The best of each group by mean merit, and the GPU hours of the round."""
    count = rules.group_count(skills.shape[1])
    advancing = []
    for group in range(count):
        members = skills[:, group::count]
        merits = members + normal(rng, members.shape) * world.merit_sd / sqrt(rules.group_challenges)
        merits[rng.random(members.shape) > (1 - world.failure_rate) ** rules.group_challenges] -= 1e9
        advancing.append(best_of(members, merits, rules.group_advance))
    cost = training_cost(rules, RoundType.GROUP, rules.group_kind)
    return np.concatenate(advancing, axis=1), skills.shape[1] * rules.group_challenges * cost


def best_of(members: Array, merits: Array, places: int) -> Array:
    """Of each row the `places` members with the greatest merits, in no order."""
    if places >= members.shape[1]:
        return members
    return np.take_along_axis(members, np.argpartition(-merits, places - 1, axis=1)[:, :places], axis=1)


def play_pairs(
    skills: Array, rules: TournamentRules, world: World, rng: np.random.Generator
) -> tuple[Array, float | Array]:
    """The winners of the pairs and the odd one out, and the GPU hours of the round."""
    paired = skills.shape[1] // 2 * 2
    left, right = skills[:, 0:paired:2], skills[:, 1:paired:2]
    error = sqrt(world.example_sd**2 + float(rules.training_noise) ** 2)
    gains = (_gains(left - right, world, rng) for _ in range(1 + rules.pairs.deciders))
    mean, challenges = play_until_clear(list(gains), rules.pairs, error)
    winners = np.where(mean > 0, left, right)
    return np.concatenate([winners, skills[:, paired:]], axis=1), 2 * pair_cost(rules) * challenges.sum(axis=1)


def play_until_clear(gains: list[Array], pairs: Pairs, error: float) -> tuple[Array, Array]:
    """Mean gain of the left over the right, and how many challenges were played until it was clear of 0.

    Args:
        gains: of the first challenge and of each decider.
        error: standard error of the gain of one challenge.
    """
    total, played = gains[0].copy(), np.ones(gains[0].shape)
    unclear = np.ones(gains[0].shape, dtype=bool)
    for gain in gains[1:]:
        unclear &= np.abs(total / played) < float(pairs.clearance) * error / np.sqrt(played)
        total += np.where(unclear, gain, 0.0)
        played += unclear
    return total / played, played


def _gains(true: Array, world: World, rng: np.random.Generator) -> Array:
    gains = true + normal(rng, true.shape) * world.gain_sd
    if world.failure_rate:
        failed = rng.random((2, *true.shape)) < world.failure_rate
        gains += 1e9 * (failed[1].astype(float) - failed[0])
    return gains
