"""Negatives that all examples of a batch share, and for each example which of them count."""

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated
from mu_kernels import CSR, NegativeSampler


class SharedNegatives:
    """K uniform draws among all V items, the same for every example of a batch: scores are one matrix product.

    A draw that the listener of an example has played, its target among them, is no candidate of that example. Each
    draw has probability 1 / V of being any item, so the sum over the candidates among the draws, each counted V / K
    times, is in expectation the sum over all items that the listener has not played: 'log_q' is -log V.

    Args:
      seen: which items each listener has played.
      negatives: K.
      seed: of the draws.

    Raises:
      ValueError: a listener has played every item.
    """

    def __init__(self, seen: CSR, negatives: int, seed: int):
        refuse_saturated(seen, "listener")
        self._seen, self._negatives, self._seed = seen, negatives, seed
        nobody = CSR.from_pairs(np.zeros(0, np.int64), np.zeros(0, np.int32), 1, seen.n_columns)
        self._sampler = NegativeSampler(nobody, seen.n_columns)

    def add(self, batch: Batch, users: np.ndarray, step: int) -> None:
        """Adds int32 [K] 'negatives', float32 [K] 'log_q', and bool [B..., K] 'candidates' to a batch.

        Args:
          batch: is added to.
          users: int [B...], the listener of each example; -1 where there is none.
          step: counts the draws.
        """
        draw = self._sampler.sample(np.zeros(1, np.int64), self._negatives, seed=self._seed, step=step)
        batch["negatives"], batch["log_q"] = draw.ids[0], draw.log_q[0]
        batch["candidates"] = self._unplayed(users.ravel(), draw.ids[0]).reshape(*users.shape, self._negatives)

    def _unplayed(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """bool [N, K]: whether each of N listeners has not played each of K items."""
        listeners, place = np.unique(users, return_inverse=True)
        distinct_items, column = np.unique(items, return_inverse=True)
        column_of = np.full(self._seen.n_columns, -1, np.int32)
        column_of[distinct_items] = np.arange(len(distinct_items))
        somebody = np.flatnonzero(listeners >= 0)
        played = self._seen.take(listeners[somebody])
        rows, columns = np.repeat(somebody, played.counts()), column_of[played.indices]
        unplayed = np.ones((len(listeners), len(distinct_items)), bool)
        unplayed[rows[columns >= 0], columns[columns >= 0]] = False
        return unplayed[:, column][place]


def share(batch: Batch) -> Batch:
    """The batch with what has no axis of examples under `batch['shared']`: what is [K] of the negatives."""
    shared = {name: batch[name] for name in ("negatives", "log_q", "negative_popularity") if name in batch}
    return {**{name: array for name, array in batch.items() if name not in shared}, "shared": shared}
