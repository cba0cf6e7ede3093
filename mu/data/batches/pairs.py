"""Batches of (listener, track) pairs for factorisation, with negatives drawn for each."""

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated, with_local_ids
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu.ranges import Count, CountOrZero, Threads
from mu_kernels import NegativeSampler


class PairBatches:
    """Every play of the log once an epoch.

    Args:
      log: the training plays.
      pairs: B, pairs a batch.
      negatives: K, uniform draws a pair among the tracks its listener has not played; 0 for none.
      threads: of the kernels; None takes every core.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.

    Attributes:
      features: the model's inputs at inference: users by their ids.
      crop_samples: None, there is no audio.
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
        threads: Threads | None = None,
        sparse: bool,
        seed: int,
    ):
        self.log, self.batch_size, self.negatives = log, pairs, negatives
        self._threads, self._sparse, self._seed = threads, sparse, seed
        self._sampler = None
        if negatives:
            seen = log.seen()
            refuse_saturated(seen, "listener")
            self._sampler = NegativeSampler(seen, log.n_items)

    @property
    def n_examples(self) -> int:
        """Plays an epoch."""
        return len(self.log)

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Plays `examples` of the log.

        Returns:
          int32 [B] 'users', 'targets'; float32 [B] 'weights', all 1; with negatives int32 [B, K] 'negatives' and
          float32 [B, K] 'log_q'.
        """
        users = (np.searchsorted(self.log.indptr, examples, side="right") - 1).astype(np.int32)
        batch: Batch = {
            "users": users,
            "targets": self.log.items[examples],
            "weights": np.ones(len(examples), np.float32),
        }
        names = ["targets"]
        if self._sampler is not None:
            draw = self._sampler.sample(users, self.negatives, seed=self._seed, step=step, threads=self._threads)
            batch["negatives"], batch["log_q"] = draw.ids, draw.log_q
            names.append("negatives")
        if not self._sparse:
            return batch
        return with_local_ids(batch, {"users": (["users"], self.log.n_users), "items": (names, self.log.n_items)})
