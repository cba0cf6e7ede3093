"""First-order Markov chain (MC): what follows the last play, as often as it has followed it in training."""

import numpy as np

from mu.baselines.counting import CountingModel
from mu.baselines.distances import Distances
from mu.baselines.transitions import TransitionCounts


class MarkovChain(CountingModel):
    """Scores an item by the share of the plays of the last item that it followed.

        S(a) = N(b -> a) / sum over i of N(b -> i),  b the last play

    N(b -> a) counts the plays of a right after one of b (Shani, Heckerman & Brafman 2005; the unfactorised chain of
    Rendle, Freudenthaler & Schmidt-Thieme 2010), without smoothing: items that never followed b score 0. It has no
    options.
    """

    _distances = Distances()
    _distance_weights = np.ones(1)
    _history_length = 1

    def _history_weights(self, plays: int) -> np.ndarray:
        return np.ones(plays)

    def _scale(self, counts: TransitionCounts) -> np.ndarray:
        return 1 / np.maximum(counts.row_totals(), 1)
