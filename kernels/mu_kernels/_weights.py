"""Weights of items as whole units, and the tables that weighted draws read."""

from typing import Any

import numpy as np

from mu_kernels._check import is_floating, refuse_where

UNITS = 2.0**62  # that all weights together are rounded to
LIKE = 0.98  # weights of one class are at least this share of its heaviest


class Weights:
    """Weights rounded to whole units, about `2**62` in all, so that sums and differences of them are exact.

    A positive weight is worth a unit at least. An item's share differs from its weight's by less than
    `2**-62` of the total: for all but items drawn less than once in `2**42` draws, by less than a part in
    a million.

    Draws without exclusions follow Matias, Vitter & Ni (2003): items sorted by weight, heaviest first, and cut
    into classes of like weight (some hundreds); a class is drawn by an alias table (Vose 1991, in
    integers), then a slot of the class, which is accepted with the item's weight over the heaviest of the class. An
    alias table over the items would touch all of its lines alike; this one touches mostly the heavy
    items' lines, so they stay in cache.

    Memory: 20 bytes an item.

    Args:
      weights: numbers [V], finite, not negative, not all 0.
      n_items: V.
      order: int32 [V], the item at each position, or [0] where positions are items.

    Attributes:
      cumulative: int64 [V+1], units before each position.
      slots: uint64 [S], of the S items of positive weight, heaviest first: the position in the lower 32 bits;
        the acceptance, as `(upper 32 bits + 1) / 2**32`, in the upper.
      log_weight: float32 [S], logarithm of units over `typical`; small numbers, so that float32 holds them well.
      typical: mean units of an item of positive weight.
      cut: uint64 [2**bits]; a cell of the alias table has one class below its cut and another from there on.
      classes: uint64 [2**bits * 2], those two by cell: the first slot in the upper 32 bits, their number in the lower.
    """

    def __init__(self, weights: Any, n_items: int, order: np.ndarray) -> None:
        weights = _checked(weights, n_items)
        shares = weights / weights.max()  # the sum of large weights would be infinite
        units = np.rint(shares * (UNITS / shares.sum())).astype(np.int64)
        units[(units == 0) & (weights > 0)] = 1
        if len(order):
            units = units[order]
        self.cumulative = np.zeros(n_items + 1, np.int64)
        np.cumsum(units, out=self.cumulative[1:])

        positions = np.argsort(-units, kind="stable")[: np.count_nonzero(units)]
        heaviest_first = units[positions]
        starts, falling = [0], -heaviest_first
        while starts[-1] < len(falling):
            least = np.int64(heaviest_first[starts[-1]] * LIKE)
            starts.append(max(int(np.searchsorted(falling, -least, side="right")), starts[-1] + 1))
        counts = np.diff(starts)
        bounds = heaviest_first[starts[:-1]]
        accept = np.rint(heaviest_first / np.repeat(bounds, counts) * 2.0**32).astype(np.uint64) - np.uint64(1)
        self.slots = (accept << np.uint64(32)) | positions.astype(np.uint64)
        self.typical = float(self.cumulative[-1]) / len(positions)
        self.log_weight = np.log(heaviest_first / self.typical).astype(np.float32)

        self.bits = np.uint64(max((len(bounds) - 1).bit_length(), 1))
        cells = 2 ** int(self.bits)
        masses = [int(count) * int(bound) for count, bound in zip(counts, bounds, strict=True)]
        self.cut, alias = _alias_table(masses + [0] * (cells - len(masses)))
        span = np.zeros(cells, np.uint64)
        span[: len(bounds)] = (np.array(starts[:-1], np.uint64) << np.uint64(32)) | counts.astype(np.uint64)
        self.classes = np.stack([span, span[alias]], axis=1).reshape(-1)

    @property
    def total(self) -> int:
        """Units of all items."""
        return int(self.cumulative[-1])


def _checked(weights: Any, n_items: int) -> np.ndarray:
    array = np.asarray(weights)
    if array.dtype.kind not in "iu" and not is_floating(array.dtype):
        raise TypeError(f"weights is of type {array.dtype}; it must hold numbers")
    if array.shape != (n_items,):
        raise ValueError(f"weights has shape {array.shape} and n_items is {n_items}; every item has one")
    array = array.astype(np.float64)
    refuse_where(~(np.isfinite(array) & (array >= 0)), array, "weights", "weights are finite and not negative")
    if not array.any():
        raise ValueError("weights are all zero: no item can be drawn")
    return array


def _alias_table(masses: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """(cut uint64, alias uint32): cell i keeps i where 64 random bits lie below `cut[i]`, else takes `alias[i]`."""
    total, cells = sum(masses), len(masses)
    room = [mass * cells for mass in masses]  # a full cell holds `total`
    cut = np.full(cells, 2**64 - 1, np.uint64)
    alias = np.arange(cells, dtype=np.uint32)
    light = [i for i in range(cells) if room[i] < total]
    heavy = [i for i in range(cells) if room[i] >= total]
    while light:  # integers: as long as a cell has room, another has too much
        i, j = light.pop(), heavy[-1]
        cut[i], alias[i] = (room[i] << 64) // total, j
        room[j] -= total - room[i]
        if room[j] < total:
            light.append(heavy.pop())
    return cut, alias
