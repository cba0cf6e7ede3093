"""Recall that a law of taste expects: every track counts as far as a listener who goes by taste would play it."""

from typing import Any

import numpy as np

from mu.evals.plays import AGES, BLOCK_BYTES, DAY_MS, PlayEvaluator, scores_of


def expected_recall(evaluator: PlayEvaluator, recommender: Any, law: Any, k: int = 20) -> dict[str, np.ndarray]:
    """Recall@k at the moments of the test plays, with a law's probabilities in place of the one track played.

    At a moment with the tracks C that are out and that the listener has not played, recall is
    sum_{v in C top k} p(v) / sum_{v in C} p(v), both over the tracks of a section's kind; over all moments it is the
    ratio of the sums. Of few plays on the day of release, which track was played is mostly luck; this takes the luck
    out. Tracks that tie for the last places share them.

    Args:
      evaluator: of the test plays.
      recommender: to be measured.
      law: gives probabilities by `scores_at`; `mu.world.oracle.Oracle` gives those of a listener who chooses by taste
        alone, where real plays also follow albums, slates and habits. It is the best there is under itself.
      k: length of the list.

    Returns:
      'known' (tracks that were played in training), 'day 0', 'days 1-6', ... as of `mu.evals.plays.AGES` -> float64
      [E, 2]: of each test play what the list has, and what there is.
    """
    plays, released_ms = evaluator.plays, evaluator.released_ms
    n = len(plays.users)
    found = {name: np.zeros((n, 2)) for name in ("known", *AGES)}
    block = max(BLOCK_BYTES // (8 * len(released_ms)), 1)
    for start in range(0, n, block):
        part = slice(start, min(start + block, n))
        users, times_ms = plays.users[part], plays.times_ms[part]
        shown = evaluator.histories.take(users)
        scores = np.array(scores_of(recommender, users, shown, times_ms))
        age_days = (times_ms[:, None] - released_ms) // DAY_MS
        held = released_ms <= times_ms[:, None]
        held[np.repeat(np.arange(len(users)), np.diff(shown.indptr)), shown.items] = False
        scores[~held] = -np.inf
        chance = np.where(held, law.scores_at(users, shown, times_ms), 0.0)
        last = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
        above, tied = scores > last, (scores == last) & held
        seats = (k - above.sum(axis=1)) / np.maximum(tied.sum(axis=1), 1)
        listed = above + np.minimum(seats, 1.0)[:, None] * tied
        for name, pairs in found.items():
            if name == "known":
                kind = np.broadcast_to(evaluator.known, held.shape)
            else:
                low, high = AGES[name]
                kind = evaluator.new & (age_days >= low) & (age_days < high)
            pairs[part, 0] = (chance * listed * kind).sum(axis=1)
            pairs[part, 1] = (chance * kind).sum(axis=1)
    return found
