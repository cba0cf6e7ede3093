"""How much of their plays a recommender gives to tracks of each age at the moments of held-out plays."""

from collections.abc import Sequence

import numpy as np

from mu.evals.protocols.play_ranks import blocks, scores_at
from mu.evals.protocols.plays import DAY_MS, PlayEvaluator
from mu.protocols import Recommender

MOST_SCORES = 1 << 30
"""Of a larger task some plays are taken, evenly spaced."""


def age_masses(
    evaluator: PlayEvaluator, recommender: Recommender, ages_days: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """The softmax mass of the candidates by their age, and the age of the track played.

    Args:
      evaluator: of the held-out plays; those of tracks that the listener had played before are left out.
      recommender: whose scores are logarithms of how much is played.
      ages_days: ascending edges: group g is the tracks younger than edge g and none before, the last all others.

    Returns:
      (float64 [E, G + 1], int64 [E]).
    """
    n_items = len(evaluator.released_ms)
    every = -(-len(evaluator.events) * n_items // MOST_SCORES)
    events = evaluator.events.take(np.arange(0, len(evaluator.events), every))
    edges = np.asarray(ages_days) * DAY_MS
    masses, played, counted = [np.zeros((0, len(edges) + 1))], [np.zeros(0, np.int64)], [np.zeros(0, bool)]
    for part in blocks(len(events), n_items):
        plays = events.take(part)
        candidates = evaluator.unplayed.mask(plays)
        scores = np.where(candidates, scores_at(recommender, plays, evaluator.histories, n_items), -np.inf)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        group = np.searchsorted(edges, plays.times_ms[:, None] - evaluator.released_ms, side="right")
        mass = np.stack([(shares * (group == age)).sum(axis=1) for age in range(len(edges) + 1)], axis=1)
        masses.append(mass / mass.sum(axis=1, keepdims=True))
        own = np.arange(len(plays)), plays.tracks
        played.append(group[own])
        counted.append(candidates[own])
    kept = np.concatenate(counted)
    return np.concatenate(masses)[kept], np.concatenate(played)[kept]
