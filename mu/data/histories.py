"""Batches of listening histories for sequence models: windows packed into rows, negatives drawn, one call a batch."""

import numpy as np

from mu.data.batches import Batch, with_local_ids
from mu.data.interactions import Interactions
from mu_kernels import (
    NegativeSampler,
    cut_windows,
    fill_windows,
    one_per_row,
    pack_windows,
)


class HistoryBatches:
    """Every transition (track, next track) of the log once an epoch, in rows of `window` positions.

    Histories longer than `window` transitions are cut into several, from the end. Packed, several short ones
    share a row, told apart by 'segments'; padded, each has a row of its own.

    Args:
      log: the training plays.
      window: T, positions a row.
      rows: B, rows a batch.
      packed: fill rows with several histories.
      negatives: K, uniform draws a position among the tracks its listener has not played; 0 for none.
      threads: of the kernels; None takes every core.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.
    """

    def __init__(
        self,
        log: Interactions,
        *,
        window: int = 50,
        rows: int = 32,
        packed: bool = True,
        negatives: int = 256,
        threads: int | None = None,
        sparse: bool,
        seed: int,
    ):
        self.log, self.window, self.batch_size, self.negatives = log, window, rows, negatives
        self._threads, self._sparse, self._seed = threads, sparse, seed
        self._windows = cut_windows(log.indptr, window)
        if packed:
            self._packing = pack_windows(self._windows.length, window)
        else:
            self._packing = one_per_row(len(self._windows))
        self._sampler = NegativeSampler(log.seen(), log.n_items) if negatives else None

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
          int32 [B, T] 'items', 'targets', 'positions', 'segments' (0 where empty); float32 [B, T] 'weights',
          1 where there is a transition; with negatives int32 [B, T, K] 'negatives' and float32 [B, T, K] 'log_q'.
        """
        rows = fill_windows(
            examples, self._packing, self._windows, self.log.items, self.window, self._threads
        )
        batch: Batch = {
            "items": rows.items,
            "targets": rows.targets,
            "positions": rows.positions,
            "segments": rows.segments,
            "weights": (rows.segments > 0).astype(np.float32),
        }
        names = ["items", "targets"]
        if self._sampler is not None:
            draw = self._sampler.sample(
                rows.users.reshape(-1), self.negatives, seed=self._seed, step=step, threads=self._threads
            )
            shape = (*rows.items.shape, self.negatives)
            batch["negatives"], batch["log_q"] = draw.ids.reshape(shape), draw.log_q.reshape(shape)
            names.append("negatives")
        return with_local_ids(batch, {"items": (names, self.log.n_items)}) if self._sparse else batch

    def inputs(self, users: np.ndarray, histories: Interactions) -> Batch:
        """The last `window` plays of each listener, from the left; a listener without plays has an empty row.

        Returns:
          int32 [B, T] 'items', 'positions', 'segments' and int32 [B] 'last', the position of the latest play.
        """
        del users
        lengths = np.minimum(histories.lengths, self.window)
        positions = np.broadcast_to(np.arange(self.window, dtype=np.int32), (len(lengths), self.window))
        filled = positions < lengths[:, None]
        items = np.zeros(filled.shape, np.int32)
        source = (histories.indptr[1:] - lengths)[:, None] + positions
        items[filled] = histories.items[source[filled]]
        return {
            "items": items,
            "positions": np.where(filled, positions, 0),
            "segments": filled.astype(np.int32),
            "last": np.maximum(lengths - 1, 0).astype(np.int32),
        }
