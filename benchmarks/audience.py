"""Where those who play a new track stand among all listeners, ordered by the score of the track."""

from typing import Any

import numpy as np

from mu.evals.protocols.play_ranks import blocks, scores_at
from mu.evals.protocols.plays import PlayEvaluator


def audience(evaluator: PlayEvaluator, recommender: Any, law: Any) -> dict[str, np.ndarray]:
    """Mean place of a new track's players among the test plays at which it could be played, by its share there.

    A place is in (0, 1): 0 for the play with the largest share, .5 in the mean by chance. The share of track v at a
    play is e^{s_v} / sum_w e^{s_w} over the tracks w that are out and that the listener has not played. Plays with
    equal shares have their mean place.

    Args:
      evaluator: of the test plays.
      recommender: that is measured; its scores are logarithms of how much is played.
      law: gives probabilities by `scores(users, histories, times_ms)`, see `expected_recall.expected_recall`.

    Returns:
      'expected' float64 [n, 2] for the n new tracks: the sum over plays of place times the law's probability, and the
      sum of the probabilities; 'observed' [n, 2]: the sum of the places of the plays of this track, and their number;
      'likely' [n]: the sum of the law's shares, among the same tracks as the model's; 'predicted' [n]: that of the
      model's.
    """
    events, new = evaluator.events, np.flatnonzero(evaluator.new)
    n_items = len(evaluator.released_ms)
    shares = np.full((len(events), len(new)), np.nan)
    chance, among = np.zeros((len(events), len(new))), np.zeros(len(events))
    for part in blocks(len(events), n_items):
        plays = events.take(part)
        candidates = evaluator.unplayed.mask(plays)
        scores = np.where(candidates, scores_at(recommender, plays, evaluator.histories, n_items), -np.inf)
        most = scores.max(axis=1, keepdims=True)
        log_z = most + np.log(np.exp(scores - most).sum(axis=1, keepdims=True))
        shares[part] = np.where(candidates[:, new], scores[:, new] - log_z, np.nan)
        law_here = scores_at(law, plays, evaluator.histories, n_items)
        chance[part] = law_here[:, new]
        # The law knows nothing of what was played before, and the shares are among what was not.
        among[part] = np.where(candidates, law_here, 0.0).sum(axis=1)
    expected, observed = np.zeros((len(new), 2)), np.zeros((len(new), 2))
    likely, predicted = np.zeros(len(new)), np.zeros(len(new))
    for column, track in enumerate(new):
        possible = np.flatnonzero(np.isfinite(shares[:, column]))
        if not len(possible):
            continue
        values = np.sort(-shares[possible, column])
        below, above = (np.searchsorted(values, -shares[possible, column], side=side) for side in ("left", "right"))
        places = (below + above) / (2 * len(possible))
        weights, played = chance[possible, column], events.tracks[possible] == track
        expected[column] = (places * weights).sum(), weights.sum()
        observed[column] = places[played].sum(), played.sum()
        likely[column] = (weights / among[possible]).sum()
        predicted[column] = np.exp(shares[possible, column]).sum()
    return {"expected": expected, "observed": observed, "likely": likely, "predicted": predicted}
