"""Recall that a law of preference expects: every track counts by the probability that the listener would play it."""

from typing import Any

import numpy as np

from mu.evals.protocols.play_ranks import blocks, scores_at
from mu.evals.protocols.plays import AGES, DAY_MS, PlayEvaluator


def expected_recall(evaluator: PlayEvaluator, recommender: Any, law: Any, k: int = 20) -> dict[str, np.ndarray]:
    """Recall@k at the moments of the test plays, with a law's probabilities in place of the one track played.

    At a moment with the tracks C that are out and that the listener has not played, recall is
    sum_{v in C top k} p(v) / sum_{v in C} p(v), both over the tracks of a section's kind; over all moments it is the
    ratio of the sums. Of few plays on the day of release, which track was played is mostly luck; this takes the luck
    out. Tracks that tie for the last places share them.

    Args:
      evaluator: of the test plays.
      recommender: that is measured.
      law: gives probabilities by `scores(users, histories, times_ms)`; `mu.world.oracle.Oracle` gives those of a
        listener who chooses by preference alone, where real plays also follow albums, slates and habits. It is the
        best there is under itself.
      k: length of the list.

    Returns:
      'known' (tracks that were played in training), 'day 0', 'days 1-6', ... as of `mu.evals.protocols.plays.AGES` ->
      float64 [E, 2]: for each test play the probability on the list, and all there is.
    """
    events = evaluator.events
    totals = {name: np.zeros((len(events), 2)) for name in ("known", *AGES)}
    n_items = len(evaluator.released_ms)
    for part in blocks(len(events), n_items):
        plays = events.take(part)
        candidates = evaluator.unplayed.mask(plays)
        scores = np.array(scores_at(recommender, plays, evaluator.histories, n_items))
        scores[~candidates] = -np.inf
        chance = np.where(candidates, scores_at(law, plays, evaluator.histories, n_items), 0.0)
        last = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        above, tied = scores > last, (scores == last) & candidates
        seats = (k - above.sum(axis=1)) / np.maximum(tied.sum(axis=1), 1)
        listed = above + np.minimum(seats, 1.0)[:, None] * tied
        age_days = (plays.times_ms[:, None] - evaluator.released_ms) // DAY_MS
        for name, pairs in totals.items():
            if name == "known":
                kind = np.broadcast_to(evaluator.known, candidates.shape)
            else:
                low, high = AGES[name]
                kind = evaluator.new & (age_days >= low) & (age_days < high)
            pairs[part, 0] = (chance * listed * kind).sum(axis=1)
            pairs[part, 1] = (chance * kind).sum(axis=1)
    return totals
