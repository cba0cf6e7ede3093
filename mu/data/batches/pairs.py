"""Batches of (listener, track) pairs for factorisation, with negatives drawn for each."""

from typing import Literal

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated, with_local_ids
from mu.data.batches.shared_negatives import share, shared_negatives
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, example_weights
from mu.ranges import Count, CountOrZero, Share, Threads
from mu_kernels import CSR, NegativeSampler


class PairBatches:
    """Every play of the log once an epoch, but for those of weight 0.

    Args:
      log: the training plays.
      pairs: B, pairs a batch.
      negatives: K, uniform draws a pair among the tracks its listener has not played; 0 for none.
      negatives_per: 'pair', each has K draws of its own; or 'batch', all pairs share K draws, of which those that its
        listener has played are no candidates of a pair (see `mu.data.batches.shared_negatives`).
      popular_negatives: share of the draws that are by plays instead, where the batch shares them.
      weights: how much a play counts in the loss, a name of `mu.data.logs.weighting`; 'none' for all alike.
      graph: whether graph models learn which listener has played which track, in the whole log; see `constants`.
      threads: of the kernels; None takes every core.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.

    Attributes:
      features: the model's inputs at inference: users by their ids.
      constants: what all batches share. With a graph int32 'graph': 'columns', the tracks of listener u, from indptr[u]
        to indptr[u + 1] of 'indptr'; and the same by tracks, 'rows' and 'column_indptr'. Else nothing.
      crop_samples: None, there is no audio.
      left_out: reason -> plays of the log that are no examples.

    Raises:
      ValueError: the negatives are not to be had of this log, or the graph comes with sparse tables or is too large.
    """

    crop_samples: int | None = None
    features = HistoryFeatures()

    n_clips = 0
    holds_out = False

    def __init__(
        self,
        log: Interactions,
        *,
        pairs: Count = 2048,
        negatives: CountOrZero = 64,
        negatives_per: Literal["pair", "batch"] = "pair",
        popular_negatives: Share = 0.0,
        weights: str = "none",
        graph: bool = False,
        threads: Threads | None = None,
        sparse: bool,
        seed: int,
    ):
        self.log, self.batch_size, self.negatives = log, pairs, negatives
        self._threads, self._sparse, self._seed = threads, sparse, seed
        self._weights = None if weights == NONE else example_weights(log, weights)
        self._plays = None if self._weights is None else np.flatnonzero(self._weights)
        self.left_out = {"plays of weight 0": len(log) - self.n_examples}
        known = "pair", "batch"
        self._shared = shared_negatives(log, negatives, negatives_per, known, popular_negatives, seed)
        if graph and sparse:
            raise ValueError("batches.graph=True needs every row at every step: set tables.name='dense'")
        self.constants = {"graph": _both_ways(log.seen())} if graph else {}
        self._sampler = None
        if negatives and self._shared is None:
            seen = log.seen()
            refuse_saturated(seen, "listener")
            self._sampler = NegativeSampler(seen, log.n_items)

    @property
    def n_examples(self) -> int:
        """Plays an epoch."""
        return len(self.log) if self._plays is None else len(self._plays)

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Plays `examples` of those that are examples, in order of the log.

        Returns:
          int32 [B] 'users', 'targets'; float32 [B] 'weights', 1 in their mean over the log; with negatives
          int32 [B, K] 'negatives' and float32 [B, K] 'log_q'. Where the batch shares them they are [K], under 'shared',
          and bool [B, K] 'candidates' says which of them count.
        """
        plays = examples if self._plays is None else self._plays[examples]
        users = (np.searchsorted(self.log.indptr, plays, side="right") - 1).astype(np.int32)
        batch: Batch = {
            "users": users,
            "targets": self.log.items[plays],
            "weights": np.ones(len(plays), np.float32) if self._weights is None else self._weights[plays],
        }
        names = ["targets"]
        if self._sampler is not None:
            draw = self._sampler.sample(users, self.negatives, seed=self._seed, step=step, threads=self._threads)
            batch["negatives"], batch["log_q"] = draw.ids, draw.log_q
            names.append("negatives")
        if self._shared is not None:
            self._shared.add(batch, users, step)
            names.append("negatives")
        if self._sparse:
            spaces = {"users": (["users"], self.log.n_users), "items": (names, self.log.n_items)}
            batch = with_local_ids(batch, spaces)
        return batch if self._shared is None else share(batch)


def _both_ways(played: CSR) -> dict[str, np.ndarray]:
    """The pairs of listeners and tracks sorted by either, as `mu_kernels.xla.Bipartite` names them."""
    pairs, most = int(played.indptr[-1]), np.iinfo(np.int32).max
    if pairs > most:
        raise ValueError(
            f"batches.graph=True: the log has {pairs:,} pairs of a listener and a track, and a graph has at most "
            f"{most:,}, which int32 counts: import fewer plays, or set batches.graph=False and a model without a graph"
        )
    listeners = np.repeat(np.arange(played.n_rows, dtype=np.int64), played.counts())
    players = CSR.from_pairs(played.indices.astype(np.int64), listeners, played.n_columns, played.n_rows)
    return {
        "indptr": played.indptr.astype(np.int32),
        "columns": played.indices,
        "column_indptr": players.indptr.astype(np.int32),
        "rows": players.indices,
    }
