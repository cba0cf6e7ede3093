"""A model's inputs with evidence of counts: what a saved run reads, with NumPy alone."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from mu.data.features import HistoryFeatures
from mu.protocols import Histories
from mu_kernels import SparseRows

ARRAYS = ("starts", "stops", "indices", "values", "history_weights", "popularity")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class EvidenceFeatures(HistoryFeatures):
    """A model's inputs, and the evidence that a counting model sees for items in a history.

    Attributes:
      rules: [V, V], or [2 V, V] with the likeness of items below.
      history_weights: float64 [L, L]; row n - 1 begins with the weights of a history of n plays, the newest first.
      similar_weight: of the likeness.
      popularity: float32 [V], `log_popularity` of the training log.
    """

    rules: SparseRows
    history_weights: np.ndarray
    similar_weight: float
    popularity: np.ndarray

    def evidence(self, histories: Histories) -> np.ndarray:
        """float32 [B, V]: the evidence that the newest plays of B histories are for each item; 0 for none."""
        n_items = self.rules.n_columns
        similar_weight = self.similar_weight if self.rules.n_rows > n_items else None
        newest = newest_plays(
            histories, len(self.history_weights), lambda n: self.history_weights[n - 1, :n], n_items, similar_weight
        )
        return newest.dense_sums(self.rules).astype(np.float32)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the features to a folder that exists."""
        super().save(folder)
        rules = {name: getattr(self.rules, name) for name in ("starts", "stops", "indices", "values")}
        arrays = {**rules, "history_weights": self.history_weights, "popularity": self.popularity}
        for name in ARRAYS:
            np.save(Path(folder) / f"evidence_{name}.npy", arrays[name])
        np.save(Path(folder) / "evidence_similar_weight.npy", np.float64(self.similar_weight))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The features that `save` wrote."""
        known = HistoryFeatures.load(folder)
        arrays = {name: np.load(Path(folder) / f"evidence_{name}.npy") for name in ARRAYS}
        rules = SparseRows(*(arrays.pop(name) for name in ARRAYS[:4]), n_columns=len(arrays["popularity"]))
        similar_weight = float(np.load(Path(folder) / "evidence_similar_weight.npy"))
        return cls(**vars(known), rules=rules, similar_weight=similar_weight, **arrays)


def newest_plays(
    histories: Histories,
    longest: int | None,
    weights_of: Callable[[int], np.ndarray],
    n_items: int,
    similar_weight: float | None = None,
) -> SparseRows:
    """[B, V]: the newest plays of each history, the newest first, with their weights.

    Args:
      histories: B rows.
      longest: how many plays of a history there are at most; None for all.
      weights_of: n -> float64 [n], the weights of the plays of a history of n, of which n are taken.
      n_items: V.
      similar_weight: each play v is followed by column V + v, with so many times its weight: [B, 2 V]; None for none.
    """
    lengths = np.diff(histories.indptr)
    if longest is not None:
        lengths = np.minimum(lengths, longest)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    age = np.arange(indptr[-1]) - np.repeat(indptr[:-1], lengths)
    items = histories.items[np.repeat(histories.indptr[1:], lengths) - 1 - age]
    weights = np.empty(len(items))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        weights[indptr[rows, None] + np.arange(length)] = weights_of(int(length))
    if similar_weight is None:
        return SparseRows.from_csr(indptr, items, weights, n_items)
    both = np.stack([items, items + n_items], axis=1), np.stack([weights, weights * similar_weight], axis=1)
    return SparseRows.from_csr(2 * indptr, both[0].ravel(), both[1].ravel(), 2 * n_items)


def log_popularity(plays: np.ndarray, mean: float) -> np.ndarray:
    """float32 [...]: log(f + 1) of f plays, less its mean; 0, as of a mean item, where there are none.

    That nobody has played an item says nothing of it: it is new, or was never shown. A logarithm of so few plays would
    put it below everything that was played once, whatever its sound and its artist say.

    Args:
      plays: f, int64 [...].
      mean: `mean_log` of all items.
    """
    return np.where(plays > 0, np.log(plays + 1) - mean, 0.0).astype(np.float32)


def mean_log(plays: np.ndarray) -> float:
    """Mean of log(f + 1) over the items that are played, of f plays, int64 [V]."""
    return float(np.log(plays[plays > 0] + 1).mean())
