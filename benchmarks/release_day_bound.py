"""How well anybody could rank new tracks who knows what a service knows: a reference between model and oracle.

    python benchmarks/release_day_bound.py [--seeds=0,1,2] [--workdir=runs/release_day]

The oracle of benchmarks/release_day.py knows each listener's taste and each track's appeal. No service does: tastes
drift and show in some dozens of plays, and how much a track will be played shows once it is. Here both are estimated
from the same plays as the models have, with the law of the world and the exact vector of every track, so by more than
any model has. docs/results/release_day_bound.md holds the table.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from audience import audience
from expected_recall import expected_recall
from release_day import BoostedOracle

from mu.config.resolve import build, resolve
from mu.data.logs.interactions import Interactions
from mu.evals.protocols.plays import DAY_MS, PlayRanking
from mu.quickstart.config import get_config
from mu.quickstart.steps import import_world, simulate_world
from mu.world.oracle import oracle_of, rows_of
from mu.world.world import World

ROOT = Path(__file__).resolve().parents[1]
MEMORY_WEEKS, NEWTON_STEPS, LONGEST_STEP = 20.0, 8, 2.0
"""A play counts e^{-age / MEMORY_WEEKS} for the taste, which drifts; of 8, 20 and infinity it was best on seed 10."""
LUCK = 0.49
"""Variance of a track's own luck over that of its artist's fame, in the law of popularity (`mu.world.catalogue`)."""
INTRODUCTION = """\
# What can be known of a new track

Written by `python benchmarks/release_day_bound.py`. Recall@20 *expected by taste*, without a boost, of the worlds of
[The day of release](release_day.md), seeds {seeds}; in brackets, times the oracle's. All rows below the oracle estimate
each listener's taste from the plays that the models have: the mode of its posterior under the world's law, with the
exact vector and popularity of every track that had been played. They know the exact vector of every new track too.
`appeal exact` also knows how popular each new track is; `appeal of the artist` expects what the artist's earlier tracks
say, as a service could; the last rows raise all new tracks by a constant, which costs known ones. `audience` is where
those who would play a new track stand among listeners, by score: 0 is first, .5 chance.

"""


class Estimated:
    """Logarithms of preference, but for a constant, of listeners whose taste is estimated.

    Args:
      world: the truth.
      tracks: int64 [V], the world's row of each track.
      tastes: float64 [U, D], of the users of the log.
      raised: float64 [V], is added to the score of each track.
    """

    dot_product = False
    time_aware = True

    def __init__(self, world: World, tracks: np.ndarray, tastes: np.ndarray, raised: np.ndarray):
        self._world, self._tracks, self._tastes, self._raised = world, tracks, tastes, raised

    def scores(self, users: np.ndarray, histories: Any, times_ms: np.ndarray) -> np.ndarray:
        del histories
        weights = np.log(np.maximum(self._world.popularity(times_ms)[:, self._tracks], 1e-30))
        liking = self._tastes[users] @ self._world.catalogue.vectors[self._tracks].T
        return (weights + liking + self._raised).astype(np.float32)


def tastes(
    vectors: np.ndarray, log_weights: np.ndarray, plays: np.ndarray, mean: np.ndarray, precision: np.ndarray
) -> np.ndarray:
    """float64 [U, D]: modes of the posteriors of tastes x under p(v) ~ e^{log_weights_v + x . z_v}, by Newton's method.

    Args:
      vectors: float64 [V, D], z.
      log_weights: float64 [V].
      plays: float64 [U, V], how much each listener played each track.
      mean: float64 [D], of the normal prior.
      precision: float64 [D, D], of the same.
    """
    n_dims, counts = vectors.shape[1], plays.sum(axis=1)
    products = (vectors[:, :, None] * vectors[:, None, :]).reshape(len(vectors), -1)
    played, x = plays @ vectors, np.tile(mean, (len(plays), 1))
    for _ in range(NEWTON_STEPS):
        chance = x @ vectors.T + log_weights
        chance = np.exp(chance - chance.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        expected = chance @ vectors
        spread = (chance @ products).reshape(-1, n_dims, n_dims) - expected[:, :, None] * expected[:, None, :]
        curvature = counts[:, None, None] * spread + precision
        slope = played - counts[:, None] * expected - (x - mean) @ precision
        step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        x += step * np.minimum(1.0, LONGEST_STEP / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9))
    return x


def appeal_of_artists(log_weights: np.ndarray, artists: np.ndarray, known: np.ndarray) -> np.ndarray:
    """float64 [V]: the logarithm of the expected weight of a track of each one's artist, from the known tracks.

    The posterior mean of a normal model with variance ratio `LUCK`, and half the variance of what it leaves open.
    """
    mean, n_artists = log_weights[known].mean(), int(artists.max()) + 1
    counts = np.bincount(artists[known], minlength=n_artists)
    sums = np.bincount(artists[known], weights=log_weights[known] - mean, minlength=n_artists)
    expected = mean + (sums / (counts + LUCK))[artists]
    return expected + ((log_weights - expected)[known] ** 2).mean() / 2


def estimated_tastes(world: World, log: Interactions, tracks: np.ndarray, released_ms: np.ndarray) -> np.ndarray:
    """float64 [U, D]: the taste of each user of a log at its end, from the plays in it."""
    end_ms, catalogue = int(log.times.max()), world.catalogue
    listeners = rows_of(log.users["user"].to_list(), "listener-", len(world.listeners), "user")
    plays = np.zeros((log.n_users, log.n_items))
    fading = np.exp(-(end_ms - log.times) / DAY_MS / 7 / MEMORY_WEEKS)
    np.add.at(plays, (np.repeat(np.arange(log.n_users), log.lengths), log.items), fading)
    true = world.taste(listeners, np.full(log.n_users, end_ms))
    out = np.where(released_ms <= end_ms, np.log(catalogue.popularity[tracks]), -np.inf)
    precision = np.linalg.inv(np.cov(true.T))  # what tastes are like is taken from the world
    return tastes(catalogue.vectors[tracks], out, plays, true.mean(axis=0), precision)


def measured(folder: Path, seed: int, size: str) -> dict[str, dict[str, np.ndarray]]:
    """Row -> section -> [2] sums of probability listed and all there is; 'audience' -> sums of places and weights."""
    simulate_world(folder / "world", size, seed)
    import_world(folder / "world", folder / "log")
    config = get_config(f"folder={folder},size={size},seed={seed}")
    config.data.sound = False
    config = resolve(config)
    split = build(config.split, build(config.data))
    evaluator = PlayRanking(split=split, train=split.train, part="test")
    oracle = oracle_of(folder / "world", folder / "log")
    world, names = oracle.world, split.train.tracks["track"].to_list()
    tracks = rows_of(names, "track-", len(world.catalogue), "track")
    taste = estimated_tastes(world, split.train.merged(split.valid), tracks, evaluator.released_ms)
    weights = np.log(world.catalogue.popularity[tracks])
    expected = appeal_of_artists(weights, world.catalogue.artist[tracks], evaluator.known)
    of_artist = np.where(evaluator.new, expected - weights, 0.0)
    rows = {"oracle": oracle, "appeal exact": Estimated(world, tracks, taste, np.zeros(len(tracks)))}
    for raised in (0.0, 0.5, 1.0):
        name = "appeal of the artist" + (f", new tracks + {raised:g}" if raised else "")
        rows[name] = Estimated(world, tracks, taste, of_artist + raised * evaluator.new)
    table = {}
    for name, recommender in rows.items():
        sums = {
            section: pairs.sum(axis=0) for section, pairs in expected_recall(evaluator, recommender, oracle).items()
        }
        logs = BoostedOracle(oracle, evaluator.released_ms) if recommender is oracle else recommender
        table[name] = sums | {"audience": audience(evaluator, logs, oracle)["expected"].sum(axis=0)}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workdir", type=Path, default=Path("runs/release_day"), help="holds the worlds")
    parser.add_argument("--size", choices=("tiny", "small"), default="small", help="tiny: does it work? writes nothing")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    tables = [measured(arguments.workdir / f"seed{seed}", seed, arguments.size) for seed in seeds]
    names, sections = list(tables[0]), list(tables[0]["oracle"])
    means = {}
    for name in names:
        sums = {section: np.sum([table[name][section] for table in tables], axis=0) for section in sections}
        means[name] = {section: float(part / whole) for section, (part, whole) in sums.items()}
    lines = [f"| recall@20 | {' | '.join(sections)} |", f"|{' --- |' * (len(sections) + 1)}"]
    for name in names:
        cells = []
        for section in sections:
            ratio = "" if section == "audience" or name == "oracle" else means[name][section] / means["oracle"][section]
            cells.append(f"{means[name][section]:.3f}" + (f" ({ratio:.2f})" if ratio else ""))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    text = INTRODUCTION.format(seeds=arguments.seeds) + "\n".join(lines) + "\n"
    print(text)
    if arguments.size == "small":
        (ROOT / "docs" / "results" / "release_day_bound.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
