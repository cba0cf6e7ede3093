"""Draws the laws of the simulated world: the pictures of mu/world/README.md, and the shares that it quotes.

python docs/scripts/world.py     # writes docs/world/*.png and prints the shares; half a minute
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from mu.world.catalogue import AUDIBLE, weekly_weights
from mu.world.contexts import CONTEXTS, HOURLY
from mu.world.settings import START_MS, WEEK_MS
from mu.world.world import World, simulate

COLOURS = ("#888888", "#e8a33d", "#c8443b", "#3b6fb5", "#7d4fa0")


def popularity(world: World, file: Path) -> None:
    """Four well-known tracks, two raised most by feedback and two lowered most: with feedback and without."""
    weeks = np.arange(world.settings.weeks)
    base = weekly_weights(world.catalogue, weeks, world.settings)
    weights = world.popularity(START_MS + weeks * WEEK_MS)
    popular = np.argsort(-base[20])[:100]
    gain = weights[:, popular].sum(axis=0) / base[:, popular].sum(axis=0)
    tracks = popular[np.argsort(gain)[[-1, -2, 0, 1]]]
    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    for track, colour in zip(tracks, COLOURS[1:], strict=True):
        week = int(world.catalogue.release_week[track])
        label = f"{world.catalogue.titles[track]} ({f'week {week}' if week >= 0 else 'out long before'})"
        shown = weeks >= week
        axes.plot(
            weeks[shown], 100 * (weights / weights.sum(1, keepdims=True))[shown, track], color=colour, label=label
        )
        axes.plot(weeks[shown], 100 * (base / base.sum(1, keepdims=True))[shown, track], "--", color=colour, lw=1)
    axes.set(xlabel="week", ylabel="share of all weight, %", ylim=(0, None))
    axes.set_title("Popularity of four tracks: with feedback; dashed: fame and novelty alone", fontsize=10)
    axes.legend(fontsize=8)
    save(figure, file)


def taste(world: World, file: Path) -> None:
    """The audible coordinates of one listener's taste, and where they come from."""
    listener = int(np.argmax(world.listeners.n_plays))
    days = np.arange(7 * world.settings.weeks)
    tastes = world.listeners.taste(np.full(len(days), listener), START_MS + days * WEEK_MS // 7)
    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    for i, name in enumerate(("energy", "acousticness", "valence")):
        values = tastes[:, AUDIBLE.index(name)]
        axes.plot(days / 7, values, color=COLOURS[i + 1], label=name)
        axes.axhline(values.mean(), color=COLOURS[i + 1], ls="--", lw=1)
    axes.set(xlabel="week", ylabel="taste, coordinate")
    axes.set_title(f"Taste of listener {listener} drifts; dashed: the mean of the year", fontsize=10)
    axes.legend(fontsize=8, ncols=3)
    save(figure, file)


def contexts(world: World, file: Path) -> None:
    """Shares of contexts by hour, law and log; and what is heard in each."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), width_ratios=(1.2, 1))
    hours = world.exposures.times_ms // 3_600_000 % 24
    for one, (name, colour) in enumerate(zip(CONTEXTS, COLOURS, strict=True)):
        share = [(world.exposures.contexts[hours == hour] == one).mean() for hour in range(24)]
        left.plot(np.arange(24), HOURLY[:, one], color=colour, label=name)
        left.plot(np.arange(24), share, ".", color=colour)
    left.set(xlabel="hour at which the session opens (UTC)", ylabel="share of sessions", xticks=range(0, 24, 3))
    left.set_ylim(0, 1)
    left.set_title("Contexts by hour: law (lines), log (dots)", fontsize=10)
    left.legend(fontsize=8, ncols=3, loc="upper center")
    plays = world.plays
    by_taste = plays.origins == 3
    vectors = world.catalogue.vectors[plays.tracks, : len(AUDIBLE)]
    everyday = vectors[by_taste & (plays.contexts == 0)].mean(0)
    for one in range(1, len(CONTEXTS)):
        moved = vectors[by_taste & (plays.contexts == one)].mean(0) - everyday
        right.bar(np.arange(len(AUDIBLE)) + 0.2 * one - 0.5, moved, width=0.2, color=COLOURS[one])
    right.axhline(0, color="black", lw=0.5)
    right.set_xticks(range(len(AUDIBLE)), AUDIBLE, rotation=30, ha="right", fontsize=8)
    right.set(ylabel="coordinate, less everyday's")
    right.set_title("What is played by taste in each", fontsize=10)
    save(figure, file)


def slates(world: World, file: Path) -> None:
    """How often tracks of some propensity were shown; how often each place was played."""
    exposures = world.exposures
    probability = world.exposure_probability(exposures.listeners, exposures.times_ms)
    shown = np.zeros(probability.shape, dtype=bool)
    np.put_along_axis(shown, exposures.tracks.astype(np.int64), True, axis=1)
    edges = np.geomspace(probability[probability > 0].min(), 1, 17)
    cell = np.clip(np.digitize(probability, edges), 1, 16)
    cell[probability == 0] = 0
    counts = np.bincount(cell.ravel(), minlength=17)
    mean = np.bincount(cell.ravel(), weights=probability.ravel(), minlength=17)
    share = np.bincount(cell.ravel(), weights=shown.ravel(), minlength=17)
    some = np.flatnonzero(mean[1:] > 100) + 1  # fewer say too little
    error = 2 * np.sqrt(mean[some]) / counts[some]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4))
    left.plot([edges[0], 1], [edges[0], 1], color="#888888", lw=1)
    left.errorbar(mean[some] / counts[some], share[some] / counts[some], error, fmt=".", color=COLOURS[3])
    left.set(xscale="log", yscale="log", xlabel="logged propensity", ylabel="share of slates that show the track")
    left.set_title("Propensities say how often (2 sigma)", fontsize=10)
    places = np.arange(1, len(world.examination()) + 1)
    acceptance = world.acceptance(exposures.listeners, exposures.times_ms, exposures.contexts)
    law = world.examination() * np.take_along_axis(acceptance, exposures.tracks.astype(np.int64), axis=1).mean(0)
    played = np.bincount(exposures.accepted[exposures.accepted >= 0], minlength=len(places)) / len(exposures)
    right.bar(places, law, color="#cccccc", label="examination x acceptance")
    right.errorbar(
        places, played, 2 * np.sqrt(played / len(exposures)), fmt=".", color=COLOURS[2], label="played (2 sigma)"
    )
    right.set(xlabel="place in the slate", ylabel="share of slates", xticks=places)
    right.set_title("What is played of a slate", fontsize=10)
    right.legend(fontsize=8)
    save(figure, file)


def groups(world: World, file: Path) -> None:
    """How far each group's plays are from everybody's, beside its size."""
    everybody = np.arange(len(world.listeners))
    liked = world.preference(everybody, np.full(len(everybody), START_MS + 26 * WEEK_MS)).astype(np.float64)
    of_all = liked.mean(0)
    distances = [np.abs(liked[group.listeners].mean(0) - of_all).sum() / 2 for group in world.groups()]
    figure, axes = pyplot.subplots(figsize=(7, 4.2))
    labels = [f"{group.value}, {group.share:.1%}" for group in world.groups()]
    colours = [COLOURS[2] if group.minority else COLOURS[3] for group in world.groups()]
    axes.barh(labels, distances, color=colours)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel="total variation between the mean preference of the group and of everybody")
    axes.set_title("Countries and age groups, their shares of the listeners; minorities in red", fontsize=10)
    save(figure, file)


def save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


def shares(world: World) -> None:
    """Prints which part of a taste cannot be heard, and which part is not explained by country and age."""
    everybody = np.arange(len(world.listeners))
    tastes = world.listeners.taste(everybody, np.full(len(everybody), START_MS))
    vectors = world.catalogue.vectors
    audible, inaudible = (
        (tastes[:, part] @ vectors[:, part].T).var(axis=1).mean()
        for part in (slice(len(AUDIBLE)), slice(len(AUDIBLE), None))
    )
    print(f"variance of taste . track over tracks: {inaudible / (audible + inaudible):.0%} inaudible")
    segment = world.listeners.segment
    size = np.maximum(np.bincount(segment), 1)
    means = np.stack([np.bincount(segment, column) / size for column in tastes.T], axis=1)
    within, whole = ((tastes - middle) ** 2 for middle in (means[segment], tastes.mean(0)))
    print(f"variance of tastes: {within.sum() / whole.sum():.0%} within country and age group")


def main() -> None:
    folder = Path(__file__).parents[1] / "world"
    folder.mkdir(exist_ok=True)
    world = simulate("small", seed=0)
    for draw in (popularity, taste, contexts, slates, groups):
        draw(world, folder / f"{draw.__name__}.png")
    shares(world)


if __name__ == "__main__":
    main()
