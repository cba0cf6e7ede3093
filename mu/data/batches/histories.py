"""Batches of listening histories for sequence models: windows packed into rows, negatives drawn, one call a batch."""

from typing import Literal

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated, with_local_ids
from mu.data.batches.shared_negatives import share, shared_negatives
from mu.data.evidence import EvidenceModel
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, example_weights
from mu.ranges import Count, CountOrZero, Share, Size, Threads
from mu_kernels import CSR, NegativeSampler, cut_windows, fill_windows, one_per_row, pack_windows


class HistoryBatches:
    """Every transition (track, next track) of the log once an epoch, in rows of `window` positions.

    Histories longer than `window` transitions are cut into several, from the end. Packed, several short ones
    share a row, told apart by 'segments'; padded, each has a row of its own.

    Args:
      log: the training plays.
      window: T, positions a row.
      rows: B, rows a batch.
      packed: fill rows with several histories.
      negatives: K, uniform draws among the tracks that the listener has not played; 0 for none.
      negatives_per: 'position', each has K draws of its own; 'row', the positions of a row share K draws among the
        tracks that none of the row's listeners has played: a matrix product instead of a gather; or 'batch', all
        positions share K draws, of which those that its listener has played are no candidates of a position (see
        `mu.data.batches.shared_negatives`): one matrix product, for thousands of negatives. Such a batch names few
        tracks, and a lazy optimizer of tables moves no others: tables.name='dense' learns more in a step.
      popular_negatives: share of the draws that are by plays instead, where the batch shares them.
      weights: how much a transition counts in the loss by the weight of the next track's play, a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      evidence: a counting model such as `mu.baselines.pctm:PCTM`, or None. It is fitted to the log, and what it says of
        targets and negatives is added to the model's scores, with learnt weights (`mu.nn.evidence`). Nothing of it
        comes from what the listener plays later.
      threads: of the kernels; None takes every core.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.

    Attributes:
      features: the model's inputs at inference.
      crop_samples: None, there is no audio.
      left_out: reason -> listeners, and plays that are next tracks, that no example is of.
    """

    n_clips = 0
    holds_out = False
    crop_samples: int | None = None

    def __init__(
        self,
        log: Interactions,
        *,
        window: Size = 50,
        rows: Count = 32,
        packed: bool = True,
        negatives: CountOrZero = 256,
        negatives_per: Literal["position", "row", "batch"] = "position",
        popular_negatives: Share = 0.0,
        weights: str = "none",
        evidence: EvidenceModel | None = None,
        threads: Threads | None = None,
        sparse: bool,
        seed: int,
    ):
        self.log, self.window, self.batch_size, self.negatives = log, window, rows, negatives
        self._threads, self._sparse, self._seed = threads, sparse, seed
        self.features = HistoryFeatures(window=window)
        self._windows = cut_windows(log.indptr, window)
        self.left_out = {
            "listeners without plays": int((log.lengths == 0).sum()),
            "listeners with one play": int((log.lengths == 1).sum()),
        }
        self._evidence = None
        if evidence is not None:
            if not negatives:
                raise ValueError("evidence is added to scores of targets and negatives: set negatives, at least 1")
            self._evidence = evidence.fit(log).training_evidence()
            self.features = self._evidence.features(window)
        self._weights = None
        if weights != NONE:
            follows = np.ones(len(log), bool)
            follows[log.indptr[:-1][log.lengths > 0]] = False
            self._weights = example_weights(log, weights, follows)
            self.left_out["plays of weight 0"] = int((follows & (self._weights == 0)).sum())
        if packed:
            self._packing = pack_windows(self._windows.length, window)
        else:
            self._packing = one_per_row(len(self._windows))
        self._per_row = negatives_per == "row"
        known = "position", "row", "batch"
        self._shared = shared_negatives(log, negatives, negatives_per, known, popular_negatives, seed)
        self._sampler = None
        if negatives and self._shared is None:
            seen = log.seen()
            if self._per_row:
                seen = self._seen_by_row(seen)
            refuse_saturated(seen, "row of listeners" if self._per_row else "listener")
            self._sampler = NegativeSampler(seen, log.n_items)

    def _seen_by_row(self, seen: CSR) -> CSR:
        """The tracks that any listener of a row has played."""
        users = self._windows.user[self._packing.windows]
        played = seen.take(users)
        row_of_window = np.repeat(np.arange(self._packing.n_rows), np.diff(self._packing.indptr))
        row_of_track = np.repeat(row_of_window, played.counts())
        return CSR.from_pairs(row_of_track, played.indices, self._packing.n_rows, self.log.n_items)

    def _plays(self, examples: np.ndarray, segments: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """int64 [B, T]: which play of the log stands at each place of these rows; 0 where it is empty."""
        filled = segments > 0
        first = self._packing.indptr[examples][:, None]
        window = self._packing.windows[np.where(filled, first + segments - 1, 0)]
        return np.where(filled, self._windows.start[window] + self._windows.length[window] - 1 - positions, 0)

    @property
    def n_examples(self) -> int:
        """Rows an epoch."""
        return self._packing.n_rows

    @property
    def fill(self) -> float:
        """Share of positions that hold a transition."""
        return float(self._windows.length.sum()) / max(self.n_examples * self.window, 1)

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Rows `examples` of the packing.

        Returns:
          int32 [B, T] 'items', 'targets' (of no meaning where empty), 'positions', 'segments' (0 where empty) and, of a
          log with times, 'seconds' of the plays of 'items' (`mu.data.features.seconds_since`); float32 [B, T]
          'weights', 0 where there is no transition, else 1 in their mean; with negatives int32 [B, T, K] 'negatives'
          and float32 [B, T, K] 'log_q', both [B, 1, K] where a row shares them. Where the batch shares them they are
          [K], under 'shared', and bool [B, T, K] 'candidates' says which of them count. With evidence float32 [B, T]
          'target_evidence' and 'target_popularity', [B, T, K] 'negative_evidence' and 'negative_popularity', which has
          the shape of the negatives.
        """
        rows = fill_windows(examples, self._packing, self._windows, self.log.items, self.window, self._threads)
        filled = rows.segments > 0
        plays = self._plays(examples, rows.segments, rows.positions)
        batch: Batch = {
            "items": rows.items,
            "targets": rows.targets,
            "positions": rows.positions,
            "segments": rows.segments,
            **self.features.events(self.log, rows.users, plays, filled, rows.users),
            "weights": filled.astype(np.float32),
        }
        if self._weights is not None:
            batch["weights"] *= self._weights[np.where(filled, plays + 1, 0)]
        names = ["items", "targets"]
        if self._sampler is not None:
            who = examples if self._per_row else rows.users.reshape(-1)
            draw = self._sampler.sample(who, self.negatives, seed=self._seed, step=step, threads=self._threads)
            shape = (len(examples), 1 if self._per_row else self.window, self.negatives)
            batch["negatives"], batch["log_q"] = draw.ids.reshape(shape), draw.log_q.reshape(shape)
            names.append("negatives")
        if self._shared is not None:
            self._shared.add(batch, rows.users, step)
            names.append("negatives")
        if self._evidence is not None:
            negatives = batch["negatives"]
            candidates = negatives.reshape((1,) * (3 - negatives.ndim) + negatives.shape)
            batch |= self._evidence.at(np.where(filled, plays, -1), candidates, self._threads)
            batch["negative_popularity"] = batch["negative_popularity"].reshape(negatives.shape)
        if self._sparse:
            # Empty slots name a track that the batch holds anyway; as track 0 they would have its row trained by
            # every batch.
            for name in names:
                if batch[name].shape[:2] == filled.shape:
                    batch[name][~filled] = rows.items[0, 0]
            batch = with_local_ids(batch, {"items": (names, self.log.n_items)})
        return batch if self._shared is None else share(batch)
