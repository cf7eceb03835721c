"""The critical values of `tournament/boundaries.py`: `python -m laboratory.boundaries` prints its table.

A one-sided group-sequential t-test. Under equal means the t statistics at the looks do not depend on the gains' s.d.,
so that standard normal paths serve for every s.d. By look j of the last one K the test may have erred with
probability α × (j / K)^power. The first look is Student's quantile; the others are quantiles of simulated paths that
did not end before. Only paths that may ever end are kept: a critical value is never below Student's quantile of all
that is spent by its look.
"""

import argparse
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, Decimal

import numpy as np
from scipy import stats

from laboratory.world import DAYS_A_YEAR, Array, normal

LOOKS = (3, 6, 9, 12, 15, 18)
SPENDING_POWER = 2
DAYS = (1, 2, 3, 4, 5, 7, 10, 14)
"""α = 0.05 × days / 365."""
ALPHA_PER_YEAR = Decimal("0.05")
PATHS = 100_000_000
CHUNK = 250_000
SEED = 3


def alpha_of(days: int) -> Decimal:
    """The budget of so many days, rounded down to seven places."""
    return (ALPHA_PER_YEAR * days / DAYS_A_YEAR).quantize(Decimal("0.0000001"), rounding="ROUND_FLOOR")


def spent(alpha: float, looks: Sequence[int], power: float) -> Array:
    """Error that may have been made by each look."""
    return np.asarray(alpha * (np.array(looks) / looks[-1]) ** power)


def statistics_at(paths: Array, looks: Sequence[int]) -> Array:
    """(n, looks): t statistics of the first `look` columns of each path."""
    at = np.array(looks)
    mean = paths.cumsum(axis=1)[:, at - 1] / at
    variance = ((paths**2).cumsum(axis=1)[:, at - 1] - at * mean**2) / (at - 1)
    return np.asarray(mean * np.sqrt(at / variance))


def promising_paths(count: int, looks: Sequence[int], floors: Array, seed: int) -> Array:
    """(kept, looks): t statistics of those of `count` null paths that reach a floor at some look."""
    sources = np.random.SeedSequence(seed).spawn(-(-count // CHUNK))

    def chunks() -> Iterator[Array]:
        for source in sources:
            values = statistics_at(normal(np.random.default_rng(source), (CHUNK, looks[-1])), looks)
            yield values[(values >= floors).any(axis=1)].astype(np.float32)

    return np.concatenate(list(chunks()))


def critical_values(statistics: Array, count: int, looks: Sequence[int], alpha: float, power: float) -> list[float]:
    """Critical value of each look, from the promising of `count` null paths."""
    budget = spent(alpha, looks, power)
    values = [float(stats.t.isf(budget[0], looks[0] - 1))]
    alive = statistics[:, 0] < values[0]
    for look, share in enumerate(np.diff(budget), start=1):
        ends = round(float(share) * count)
        here = np.sort(statistics[alive, look])
        values.append(float(here[-ends]))
        alive &= statistics[:, look] < values[-1]
    return values


def table(
    looks: Sequence[int], power: float, days: Sequence[int] = DAYS, paths: int = PATHS, seed: int = SEED
) -> dict[Decimal, list[Decimal]]:
    """Critical values by α, rounded up to three places."""
    alphas = [alpha_of(each) for each in days]
    floors = np.asarray(stats.t.isf(spent(float(max(alphas)), looks, power), np.array(looks) - 1))
    kept = promising_paths(paths, looks, floors, seed)
    rounded = {}
    for alpha in alphas:
        values = critical_values(kept, paths, looks, float(alpha), power)
        rounded[alpha] = [Decimal(value).quantize(Decimal("0.001"), rounding=ROUND_CEILING) for value in values]
    return rounded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, nargs="+", default=LOOKS)
    parser.add_argument("--power", type=float, default=SPENDING_POWER)
    parser.add_argument("--paths", type=int, default=PATHS)
    arguments = parser.parse_args()
    print(f"LOOKS = {tuple(arguments.looks)}")
    print("BOUNDARIES: tuple[Boundary, ...] = (")
    for alpha, values in table(tuple(arguments.looks), arguments.power, paths=arguments.paths).items():
        print(f'    _boundary("{alpha}", "{" ".join(map(str, values))}"),')
    print(")")


if __name__ == "__main__":
    main()
