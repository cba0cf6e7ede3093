"""Negatives that all examples of a batch share, and for each example which of them count."""

from collections.abc import Sequence

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated
from mu.data.logs.interactions import Interactions
from mu_kernels import CSR, NegativeSampler


class SharedNegatives:
    """K draws among all V items, the same for every example of a batch: scores are one matrix product.

    P of the draws are by plays and the others uniform. A draw that the listener of an example has played, its target
    among them, is no candidate of that example. With share(v) the part of all plays that are of item v,

        log_q(v) = log(((K - P) / V + P share(v)) / K)

    K q(v) is how many of the draws are expected to be v, so the sum over the candidates among the draws, each divided
    by K q, is in expectation the sum over all items that the listener has not played (the balance heuristic, Veach &
    Guibas 1995). Draws by plays are the items of which that sum is mostly made. So are in-batch negatives, but the
    probability that one of them is in a batch is not known exactly.

    Args:
      log: the training plays.
      negatives: K.
      popular: share of the draws that are by plays, P / K.
      seed: of the draws.

    Raises:
      ValueError: a listener has played every item.
    """

    def __init__(self, log: Interactions, negatives: int, popular: float, seed: int):
        self._seen, self._seed = log.seen(), seed
        refuse_saturated(self._seen, "listener")
        self._negatives, self._by_plays = negatives, round(popular * negatives)
        nobody = CSR.from_pairs(np.zeros(0, np.int64), np.zeros(0, np.int32), 1, log.n_items)
        self._uniform = NegativeSampler(nobody, log.n_items)
        self._weighted = NegativeSampler(nobody, log.n_items, weights=log.counts()) if self._by_plays else None
        expected = (negatives - self._by_plays) / log.n_items + self._by_plays * log.counts() / len(log)
        with np.errstate(divide="ignore"):  # what nobody plays is never drawn where all draws are by plays
            self._log_q = np.log(expected / negatives).astype(np.float32)

    def add(self, batch: Batch, users: np.ndarray, step: int) -> None:
        """Adds int32 [K] 'negatives', float32 [K] 'log_q', and bool [B..., K] 'candidates' to a batch.

        Args:
          batch: is added to.
          users: int [B...], the listener of each example; -1 where there is none.
          step: counts the draws.
        """
        row, n_uniform = np.zeros(1, np.int64), self._negatives - self._by_plays
        ids = self._uniform.sample(row, n_uniform, seed=self._seed, step=step).ids[0]
        if self._weighted is not None:
            draw = self._weighted.sample(row, self._by_plays, seed=self._seed, step=step, first_row=1)
            ids = np.concatenate([ids, draw.ids[0]])
        batch["negatives"], batch["log_q"] = ids, self._log_q[ids]
        batch["candidates"] = self._unplayed(users.ravel(), ids).reshape(*users.shape, self._negatives)

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


def shared_negatives(
    log: Interactions, negatives: int, per: str, known: Sequence[str], popular: float, seed: int
) -> SharedNegatives | None:
    """The negatives that a batch shares; None where each example or row has its own, or there are none.

    Args:
      log: the training plays.
      negatives: K.
      per: negatives_per of the batches.
      known: what that may be; 'batch' is one.
      popular: popular_negatives of the batches.
      seed: of the draws.

    Raises:
      ValueError: `per` is none of these, or popular draws are asked for that are not shared.
    """
    if per not in known:
        raise ValueError(f"negatives_per={per!r}; known: {', '.join(known)}")
    if popular and per != "batch":
        raise ValueError(f"popular_negatives={popular} goes with negatives_per='batch', not {per!r}")
    return SharedNegatives(log, negatives, popular, seed) if negatives and per == "batch" else None


def share(batch: Batch) -> Batch:
    """The batch with what has no axis of examples under `batch['shared']`: what is [K] of the negatives."""
    shared = {name: batch[name] for name in ("negatives", "log_q", "negative_popularity") if name in batch}
    return {**{name: array for name, array in batch.items() if name not in shared}, "shared": shared}
