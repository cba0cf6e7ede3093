"""Vectors to search, the true answers by float64, and how an answer compares with another."""

from typing import Any

import numpy as np

N_QUERIES = 1024
CLUSTERS = 1000
KINDS = ("clustered", "gaussian")


def make(kind: str, n_items: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors [n_items, dim] and queries [1024, dim], float32, in no order.

    *gaussian*: all independent, standard normal.

    *clustered* is like trained factors: directions spread as rank^-0.3 over the dimensions; 1,000 centres (genres),
    whose sizes fall as rank^-0.7; an item is its centre plus noise of 0.7 times its length, plus a mean of all that is
    0.5 centres long, times a length that is log-normal with sigma 0.3 (popular items have longer vectors). A query is
    a centre, drawn as items draw theirs, plus such noise.
    """
    random = np.random.default_rng(seed)

    def normal(rows: int) -> np.ndarray:
        return random.standard_normal((rows, dim), dtype=np.float32)

    if kind == "gaussian":
        return normal(n_items), normal(N_QUERIES)
    if kind != "clustered":
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    spread = np.arange(1, dim + 1, dtype=np.float32) ** np.float32(-0.3)
    spread /= np.linalg.norm(spread)
    centres, mean = normal(CLUSTERS) * spread, 0.5 * normal(1) * spread
    sizes = np.arange(1, CLUSTERS + 1) ** -0.7
    of = random.choice(CLUSTERS, n_items + N_QUERIES, p=sizes / sizes.sum())
    vectors = normal(n_items + N_QUERIES)
    vectors *= np.float32(0.7) * spread
    vectors += centres[of]
    vectors[:n_items] += mean
    vectors[:n_items] *= np.exp(np.float32(0.3) * random.standard_normal((n_items, 1), dtype=np.float32))
    return vectors[:n_items], vectors[n_items:].copy()


def best(vectors: np.ndarray, queries: np.ndarray, k: int, allowed: np.ndarray | None = None) -> np.ndarray:
    """int64 [B, min(k, allowed)]: the best of `allowed` (ids, default all) by float64 scores; for few items."""
    names = np.arange(len(vectors)) if allowed is None else np.sort(allowed)
    wide, results = vectors[names].astype(np.float64), []
    for first in range(0, len(queries), 64):
        scores = (queries[first : first + 64].astype(np.float64) @ wide.T).astype(np.float32)
        kept = min(k, len(names))
        for row, lowest in zip(scores, np.partition(scores, -kept, axis=1)[:, -kept], strict=True):
            at = np.flatnonzero(row >= lowest)
            results.append(_ordered(row[at], names[at], k))
    return np.stack(results)


def _ordered(scores: np.ndarray, names: np.ndarray, k: int) -> np.ndarray:
    """The names of the k highest scores, ties by lower name."""
    return names[np.lexsort((names, -scores))[:k]]


def recall(ids: np.ndarray, truth: np.ndarray) -> float:
    """The share of `truth` [B, m] that is among `ids` [B, any], -1 being nothing."""
    return float(np.mean([np.isin(wanted, row).mean() for row, wanted in zip(ids, truth, strict=True)]))


def compare(vectors: np.ndarray, queries: np.ndarray, ids: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    """How the lists `ids` differ from `others` (both [B, k]), place by place.

    Returns:
      differ: places with another item.
      wrong: of these, places whose two items' float64 scores differ by more than float32 can, 2^-24 dim sum_d |q_d x_d|
        for each of the two; an item that occurs twice in a list is wrong too.
      gap_ulp: the largest such difference, in units of the last place of the score.
      inexact: lists that are not the best of both lists' items by float64 scores rounded to float32, ties by id.
    """
    dim, k = vectors.shape[1], ids.shape[1]
    results = {"differ": 0, "wrong": 0, "gap_ulp": 0.0, "inexact": 0}
    for query, mine, theirs in zip(queries.astype(np.float64), ids, others, strict=True):
        if not 0 <= mine.min() <= mine.max() < len(vectors) or len(np.unique(mine)) < k:
            results["wrong"] += k - len(np.unique(mine[(mine >= 0) & (mine < len(vectors))])) or 1
            results["inexact"] += 1
            continue
        names = np.union1d(mine, theirs)
        scores = (vectors[names].astype(np.float64) @ query).astype(np.float32)
        results["inexact"] += int((_ordered(scores, names, k) != mine).any())
        places = np.flatnonzero(mine != theirs)
        if not len(places):
            continue
        a, b = (vectors[row[places]].astype(np.float64) * query for row in (mine, theirs))
        gaps = np.abs(a.sum(1) - b.sum(1))
        wrong = gaps > dim * 2.0**-24 * (np.abs(a).sum(1) + np.abs(b).sum(1))
        ulp = np.spacing(np.abs(b.sum(1)).astype(np.float32))
        results["differ"] += len(places)
        results["wrong"] += int(wrong.sum())
        results["gap_ulp"] = max(results["gap_ulp"], float((gaps / ulp).max()))
    return results
