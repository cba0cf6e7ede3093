"""Pairs of recordings that sound the same: all whose cosine reaches a threshold, chosen at a rate of false merges."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from mu.evals.intervals import clustered_bootstrap

BLOCK = 1024
"""Rows of a block of cosines: BLOCK x n float32 are in memory at once."""
MARGIN = 1e-5
"""More than float32 sums of a cosine are off; pairs so near the threshold are computed again in float64."""
MOST_QUERIES = 2000
"""So many recordings, drawn, stand for all where pairs of different recordings are counted."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of recordings, the most alike first; ties by row.

    Attributes:
      first: int64 [P], row of a vector.
      second: int64 [P], a higher row.
      cosines: float64 [P].
    """

    first: np.ndarray
    second: np.ndarray
    cosines: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclasses.dataclass(frozen=True)
class PairRecall:
    """How many of the pairs that belong together are found.

    Attributes:
      value: their share; NaN where no two belong together.
      low: end of its 95 % bootstrap interval over works.
      high: the other end.
      pairs: that belong together.
      works: that have more than one recording.
      precision: share of the pairs that were found that belong together; NaN where none was found.
    """

    value: float
    low: float
    high: float
    pairs: int
    works: int
    precision: float


def cosine_blocks(directions: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(block of `rows`, its cosines with all vectors float32 [block, n])."""
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        yield block, directions[block] @ directions.T


def pairs_above(directions: np.ndarray, threshold: float) -> Pairs:
    """All pairs of two rows whose cosine is at least `threshold`, computed in float64.

    Args:
      directions: float32 [n, D], of length one (`mu.embedding.directions`); rows of zeros are like nothing.
      threshold: -1 to 1.
    """
    firsts, seconds, cosines = [], [], []
    directions = np.ascontiguousarray(directions, np.float32)
    some = np.any(directions, axis=1)
    for block, scores in cosine_blocks(directions, np.arange(len(directions))):
        near = scores >= threshold - MARGIN
        near &= np.arange(len(directions)) > block[:, None]
        near &= some[block][:, None] & some
        row, second = np.nonzero(near)
        first = block[row]
        exact = np.einsum("pd,pd->p", directions[first].astype(np.float64), directions[second].astype(np.float64))
        kept = exact >= threshold
        firsts.append(first[kept])
        seconds.append(second[kept])
        cosines.append(exact[kept])
    first, second, cosine = (
        np.concatenate([np.empty(0, kind), *parts])
        for kind, parts in ((np.int64, firsts), (np.int64, seconds), (np.float64, cosines))
    )
    order = np.lexsort((second, first, -cosine))
    return Pairs(first[order], second[order], cosine[order])


def threshold_at(directions: np.ndarray, false_merge_rate: float, works: np.ndarray, seed: int = 0) -> float:
    """The lowest threshold at which so small a share of the pairs of different recordings is taken for the same.

    The share is counted over all pairs where there are up to `MOST_QUERIES` recordings, else over the pairs of so
    many of them, drawn, with all others.

    Args:
      directions: float32 [n, D], of length one.
      false_merge_rate: between 0 and 1.
      works: int64 [n], equal for recordings that belong together, -1 for one of which that is not known, whose pairs
        are not counted. Without that knowledge real duplicates would set the threshold that is to find them.
      seed: of the draw.

    Returns:
      The next number above the cosine of the first pair that may not be merged.

    Raises:
      ValueError: the rate is out of range, no two recordings are different, or these are too few for such a rate.
    """
    if not 0 < false_merge_rate < 1:
        raise ValueError(f"the rate of false merges is {false_merge_rate}; it must lie between 0 and 1")
    n = len(directions)
    rows = np.arange(n)
    if n > MOST_QUERIES:
        rows = np.sort(np.random.default_rng(seed).choice(n, MOST_QUERIES, replace=False))
    pairs = n * len(rows)
    kept, counted = np.empty(0, np.float32), 0
    for block, scores in cosine_blocks(np.ascontiguousarray(directions, np.float32), rows):
        different = np.arange(n) != block[:, None]
        different &= (works != works[block][:, None]) & (works >= 0) & (works[block] >= 0)[:, None]
        chosen = scores[different]
        counted += len(chosen)
        kept = np.concatenate([kept, chosen])
        most = int(false_merge_rate * pairs) + 2  # no more than these can be merged
        if len(kept) > most:
            kept = np.partition(kept, len(kept) - most)[-most:]
    if not counted:
        raise ValueError("no two recordings are known to be different, so no rate of false merges can be counted")
    if false_merge_rate * counted < 2:  # each pair is counted from both sides
        raise ValueError(
            f"a rate of {false_merge_rate:g} is less than one of the {counted // 2:,} pairs of different recordings; "
            f"{2 / counted:.1g} is the lowest that can be counted"
        )
    allowed = int(false_merge_rate * counted)
    first_refused = np.sort(kept)[::-1][allowed]
    return float(np.nextafter(np.float32(first_refused) + np.float32(MARGIN), np.float32(2)))


def pair_recall(pairs: Pairs, works: np.ndarray, samples: int = 1000) -> PairRecall:
    """How many of the pairs of one work are among `pairs`.

    Args:
      pairs: found.
      works: int64 [n], the work of each recording; -1 where it is not known.
      samples: of the bootstrap, over works.
    """
    known = (works[pairs.first] >= 0) & (works[pairs.second] >= 0)
    right = (works[pairs.first] == works[pairs.second]) & known
    size = np.bincount(works[works >= 0])
    wanted = size * (size - 1) // 2
    hit = np.bincount(works[pairs.first[right]], minlength=len(size))
    repeated = np.flatnonzero(wanted)
    precision = float(right.sum() / known.sum()) if known.any() else float("nan")
    if not len(repeated):
        return PairRecall(float("nan"), float("nan"), float("nan"), 0, 0, precision)
    share = hit[repeated] / wanted[repeated]
    low, high = clustered_bootstrap(share[:, None], repeated, samples, weights=wanted[repeated])
    total = int(wanted.sum())
    return PairRecall(float(hit.sum() / total), float(low[0]), float(high[0]), total, len(repeated), precision)


def groups_of(pairs: Pairs, n: int) -> np.ndarray:
    """int64 [n]: the lowest row that a chain of pairs leads to from each row; itself, for one in no pair."""
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs.first, pairs.second)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max(initial=-1) + 1, n, np.int64)
    np.minimum.at(lowest, label, np.arange(n))
    return lowest[label]
