"""The plots of docs/laboratory.md: what a rule set costs and decides, over the true gain and over the noise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from laboratory.report import rate_interval
from laboratory.seasons import Tally, play
from laboratory.world import World
from tournament.rules import CALIBRATED_TEXT, CLASSIC_TEXT, TournamentRules

GAINS = tuple(step / 400 for step in range(17))
NOISES = (0.003, 0.006, 0.012)
NOISE_AXIS = (0.001, 0.002, 0.003, 0.0045, 0.006, 0.008, 0.010, 0.012, 0.014, 0.016)
RULES = {"calibrated": CALIBRATED_TEXT, "classic": CLASSIC_TEXT}
SHADES = {"calibrated": ("#7fb2de", "#2f7fc1", "#0b3c6f"), "classic": ("#f2b38a", "#dd7a3b", "#9c4410")}
"""Light to dark with the training noise."""
CLASSIC = SHADES["classic"][1]
GREY = "#6b6b6b"
STYLE: dict[str, Any] = {
    "figure.figsize": (7.2, 4.2),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "grid.color": "#e6e6e6",
    "lines.linewidth": 2.0,
    "svg.hashsalt": "god",
}

Sweep = dict[tuple[str, float, float], Tally]
"""By rule set, training noise in nats, and gain."""


def draw(folder: Path, world: World, seasons: int, seed: int) -> list[Path]:
    """Play the sweep and write the plots as SVG. Same arguments, same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep: Sweep = {
        (name, noise, gain): play(rules, replace(world, seed_noise=noise), gain, seasons, seed)
        for name, rules in RULES.items()
        for noise in NOISES
        for gain in GAINS
    }
    drawings: dict[str, Callable[[Axes], None]] = {
        "power": lambda axes: _power(axes, sweep),
        "false_dethronings": lambda axes: _false_dethronings(axes, world, seasons, seed),
        "title_challenges": lambda axes: _title_challenges(axes, sweep),
        "gpu_hours": lambda axes: _gpu_hours(axes, sweep, world.entrants),
    }
    return [_saved(folder / f"{name}.svg", drawing) for name, drawing in drawings.items()]


def _saved(path: Path, drawing: Callable[[Axes], None]) -> Path:
    with plt.style.context(STYLE):
        figure, axes = plt.subplots()
        drawing(axes)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return path


def _power(axes: Axes, sweep: Sweep) -> None:
    axes.set_title("How often a challenger takes the title, by its true gain over the champion")
    for name in RULES:
        for shade, noise in zip(SHADES[name], NOISES, strict=True):
            tallies = [sweep[name, noise, gain] for gain in GAINS]
            axes.plot(GAINS, [t.power if t.power is not None else nan for t in tallies], color=shade)
    axes.axhline(0.8, color=GREY, linestyle=":", linewidth=1.2)
    _say(axes, 0.0004, 0.83, "goal: 80 % at 2 %", GREY)
    axes.plot([0.02], [0.8], "o", color=GREY, markersize=6)
    _key(axes, 0.0265, 0.62, 0.075)
    _say(axes, 0.029, 0.20, "classic", CLASSIC, "right")
    _gain_axis(axes)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _false_dethronings(axes: Axes, world: World, seasons: int, seed: int) -> None:
    axes.set_title("False dethronings a year, when nobody is better than the champion")
    equals = replace(world, field_spread=0.0)
    curves = (
        ("calibrated, every entrant equal to the champion", CALIBRATED_TEXT, equals, SHADES["calibrated"][2]),
        ("calibrated, only the best equal to it", CALIBRATED_TEXT, world, SHADES["calibrated"][0]),
        ("classic, every entrant equal to it", CLASSIC_TEXT, equals, CLASSIC),
    )
    for label, rules, where, colour in curves:
        rates = [_rate(rules, replace(where, seed_noise=noise), 10 * seasons, seed) for noise in NOISE_AXIS]
        axes.plot(NOISE_AXIS, [rate for rate, _, _ in rates], color=colour, label=label)
        axes.fill_between(
            NOISE_AXIS, [low for _, low, _ in rates], [high for *_, high in rates], color=colour, alpha=0.15
        )
        _say(axes, 0.0163, rates[-1][0], label.replace(" equal", "\nequal").replace(", ", ",\n"), colour)
    axes.plot([0, 0.0162], [0.05, 0.05], color=GREY, linestyle=":", linewidth=1.2)
    _say(axes, 0.0002, 0.0515, "budget: 0.05 a year", GREY)
    axes.set_xlabel("training noise: s.d. of one training over seeds, nats")
    axes.set_xlim(0, 0.0222)
    axes.set_xticks([0, 0.003, 0.006, 0.009, 0.012, 0.015])
    axes.set_ylim(0, 0.062)


def _rate(rules: TournamentRules, world: World, seasons: int, seed: int) -> tuple[float, float, float]:
    titles = play(rules, world, 0.0, seasons, seed).titles
    return titles / seasons, *rate_interval(titles, seasons)


def _title_challenges(axes: Axes, sweep: Sweep) -> None:
    axes.set_title("Challenges that a title match takes, by the gain of the best entrant")
    for shade, noise in zip(SHADES["calibrated"], NOISES, strict=True):
        tallies = [sweep["calibrated", noise, gain] for gain in GAINS]
        axes.plot(GAINS, [t.challenges_per_match for t in tallies], color=shade)
    axes.axhline(18, color=GREY, linestyle="--", linewidth=1.5)
    axes.axhline(6, color=CLASSIC)
    _say(axes, 0.0004, 18.7, "calibrated without early stopping", GREY)
    _say(axes, 0.0004, 6.7, "classic", CLASSIC)
    _key(axes, 0.0265, 16.6, 1.15)
    _gain_axis(axes)
    axes.set_yticks(range(0, 21, 3))
    axes.set_ylim(0, 20)


def _gpu_hours(axes: Axes, sweep: Sweep, entrants: int) -> None:
    axes.set_title(f"GPU hours of a tournament of {entrants} entrants, by the gain of the best")
    for shade, noise in zip(SHADES["calibrated"], NOISES, strict=True):
        tallies = [sweep["calibrated", noise, gain] for gain in GAINS]
        axes.plot(GAINS, [t.hours_per_tournament for t in tallies], color=shade)
        axes.plot(GAINS, [t.whole_hours_per_tournament for t in tallies], color=shade, linestyle="--", linewidth=1.2)
    classic = sweep["classic", NOISES[1], 0.0].hours_per_tournament
    whole = sweep["calibrated", NOISES[0], 0.0].whole_hours_per_tournament
    axes.axhline(classic, color=CLASSIC)
    axes.set_ylim(0, 1.12 * whole)
    _say(axes, 0.0004, classic + 0.035 * whole, "classic", CLASSIC)
    _say(axes, 0.0004, 1.05 * whole, "calibrated without early stopping", GREY)
    means = (_mean_hours(sweep, "calibrated", noise) for noise in NOISES)
    _key(axes, 0.0185, 0.34 * whole, 0.065 * whole, [f": {mean:.0f} on average of 0 % and 2 %" for mean in means])
    _gain_axis(axes)


def _mean_hours(sweep: Sweep, name: str, noise: float) -> float:
    """Of the null scenario and the gain that the rules are planned for."""
    return (sweep[name, noise, 0.0].hours_per_tournament + sweep[name, noise, 0.02].hours_per_tournament) / 2


def _gain_axis(axes: Axes) -> None:
    axes.set_xlabel("true gain over the champion")
    axes.set_xlim(0, 0.0403)
    axes.set_xticks([0, 0.01, 0.02, 0.03, 0.04])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _key(axes: Axes, x: float, y: float, step: float, notes: Sequence[str] = ("", "", "")) -> None:
    """The noise of each shade, in its colour."""
    _say(axes, x, y, "calibrated, by training noise", SHADES["calibrated"][1])
    for line, (noise, shade, note) in enumerate(zip(NOISES, SHADES["calibrated"], notes, strict=True), start=1):
        _say(axes, x, y - line * step, f"{noise:g} nats{note}", shade)


def _say(axes: Axes, x: float, y: float, text: str, colour: str, side: str = "left") -> None:
    axes.text(x, y, text, color=colour, horizontalalignment=side, verticalalignment="center")
