"""Histories of track ids alone: plays of listeners who are in no log."""

import dataclasses
from collections.abc import Mapping
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class TrackHistories:
    """Plays in their order, without times and outcomes; each counts 1. B histories, E plays.

    Attributes:
      indptr: int64 [B+1]; the plays of history b are `indptr[b]:indptr[b+1]`.
      items: int32 [E], tracks.
      columns: name of an event column -> codes [E].
    """

    indptr: np.ndarray
    items: np.ndarray
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    has_times = False
    outcomes = None

    @classmethod
    def of(cls, items: np.ndarray) -> Self:
        """One history, oldest play first."""
        return cls(np.array([0, len(items)], np.int64), np.asarray(items, np.int32))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def times(self) -> np.ndarray:
        """int64 [E]: the order of the plays."""
        return np.arange(len(self.items), dtype=np.int64)

    @property
    def weights(self) -> np.ndarray:
        """float32 [E]: 1 of every play."""
        return np.ones(len(self.items), np.float32)

    def take(self, rows: np.ndarray) -> "TrackHistories":
        """The histories `rows` (any order, repeats allowed); arrays are copied."""
        starts, lengths = self.indptr[rows], np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        plays = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return TrackHistories(indptr, self.items[plays], {name: codes[plays] for name, codes in self.columns.items()})
