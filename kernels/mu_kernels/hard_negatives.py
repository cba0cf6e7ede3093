"""Hard negatives: of several draws the one that a model scores highest."""

import dataclasses
import operator
from typing import Any

import numpy as np

from mu_kernels._check import read_only
from mu_kernels._draws import WhenEmpty, run_draws
from mu_kernels.compile import kernel
from mu_kernels.mixtures import NegativeMixture
from mu_kernels.negatives import NegativeSampler

BLOCK_DRAWS = 2**20  # candidates in memory at a time, 8 bytes each


@dataclasses.dataclass(frozen=True, eq=False)
class HardNegatives:
    """The hardest of the candidates of each slot.

    No `log_q`: the best of m draws has a probability that depends on the scores of all other items, and the
    log-probability of the draw it came from must not be used to correct for it. The best of m is for losses that
    take negatives as they come (BPR, BCE, hinge).

    Attributes:
      ids: int32 [B, n], items the row may have; 0 in rows without draws.
      scores: float32 [B, n], of those; 0 in rows without draws.
      count: int32 [B], n, or 0 in rows without draws.
    """

    ids: np.ndarray
    scores: np.ndarray
    count: np.ndarray


def hard_negatives(
    sampler: NegativeSampler | NegativeMixture,
    users: Any,
    n: int,
    candidates: int,
    queries: Any,
    vectors: Any,
    *,
    batch_items: Any = None,
    seed: int = 0,
    step: int = 0,
    times: Any = None,
    threads: int | None = None,
    first_row: int = 0,
    when_empty: WhenEmpty = "raise",
) -> HardNegatives:
    """For each of `n` slots the best-scored of `candidates` draws (dynamic negative sampling, Zhang et al. 2013).

        id = argmax over the slot's draws i of queries[b] . vectors[i],     ties to the lower id

    Slot j has the draws `[j m, (j + 1) m)` of `sampler.sample(users, n * m, ...)`, m = `candidates`, so it is as
    reproducible as those; with m = 1 it is the sampler itself. Scores are sums in float32 in a fixed order. Rows are
    worked through in blocks of about a million candidates: 8 MB of them at a time.

    Args:
      sampler: what draws; never an excluded item.
      users: integers [B], -1 in empty slots.
      n: slots a row.
      candidates: m, draws a slot, at least 1.
      queries: float [B, D], what the rows' users score with.
      vectors: float [V, D], of the items.
      batch_items: for a `NegativeMixture` with in-batch items.
      seed: as in `sample`.
      step: as in `sample`.
      times: as in `sample`.
      threads: as in `sample`.
      first_row: as in `sample`.
      when_empty: as in `sample`.

    Raises:
      ValueError: shapes differ, a score is NaN or infinite (names row and item), and what `sample` raises.
    """
    users = read_only(users, np.int64, "users")
    queries = read_only(queries, np.float32, "queries", ndim=2)
    vectors = read_only(vectors, np.float32, "vectors", ndim=2)
    for name, array, size in (("queries", queries, len(users)), ("vectors", vectors, sampler.n_items)):
        if array.shape != (size, queries.shape[1]):
            raise ValueError(f"{name} has shape {array.shape}; it must be ({size}, {queries.shape[1]})")
    n, candidates = operator.index(n), operator.index(candidates)
    if candidates < 1:
        raise ValueError(f"candidates is {candidates}; it must be at least 1")
    times = None if times is None else read_only(times, np.int64, "times")
    options: dict[str, Any] = {"seed": seed, "step": step, "threads": threads, "when_empty": when_empty}
    if batch_items is not None:
        if not isinstance(sampler, NegativeMixture):
            raise ValueError("batch_items was given; only a NegativeMixture draws from them")
        options["batch_items"] = batch_items
    # Drawing nothing checks the batch as a whole, so that errors name its rows and not those of a block.
    sampler.sample(users, 0, times=times, first_row=first_row, **options)
    ids = np.empty((len(users), n), np.int32)
    scores = np.empty((len(users), n), np.float32)
    count = np.empty(len(users), np.int32)
    block = max(1, BLOCK_DRAWS // max(n * candidates, 1))
    for start in range(0, len(users), block):
        rows = slice(start, start + block)
        draw = sampler.sample(
            users[rows],
            n * candidates,
            times=None if times is None else times[rows],
            first_row=first_row + start,
            **options,
        )
        arrays = (draw.ids, draw.count, queries[rows], vectors, candidates, ids[rows], scores[rows])
        run_draws(_best, draw.ids.shape, threads, *arrays)
        count[rows] = draw.count // candidates
    good = np.isfinite(scores)
    if not good.all():
        b, slot = np.argwhere(~good)[0]
        item = ids[b, slot]
        raise ValueError(
            f"the score of item {item} in row {b} is {scores[b, slot]}: queries[{b}] or vectors[{item}] holds NaN, an "
            "infinity, or numbers too large"
        )
    return HardNegatives(ids, scores, count)


@kernel
def _dot(query, vector):
    """Sum in float32, in eight strands that LLVM keeps in one register, so in the same order everywhere."""
    zero = np.float32(0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    whole = len(query) - len(query) % 8
    for i in range(0, whole, 8):
        a += query[i] * vector[i]
        b += query[i + 1] * vector[i + 1]
        c += query[i + 2] * vector[i + 2]
        d += query[i + 3] * vector[i + 3]
        e += query[i + 4] * vector[i + 4]
        f += query[i + 5] * vector[i + 5]
        g += query[i + 6] * vector[i + 6]
        h += query[i + 7] * vector[i + 7]
    for i in range(whole, len(query)):
        a += query[i] * vector[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel
def _best(first, stop, drawn, counts, queries, vectors, candidates, ids, scores):
    """The best of each slot's candidates; where a score is not finite, that candidate, for the error."""
    values = np.empty(ids.shape[1] * candidates, np.float32)
    for row in range(first, stop):
        if counts[row] == 0:
            ids[row], scores[row] = 0, 0
            continue
        for at in range(len(values)):  # all before any is compared, so that their cache misses overlap
            values[at] = _dot(queries[row], vectors[drawn[row, at]])
        for slot in range(ids.shape[1]):
            best = slot * candidates
            for at in range(best + 1, best + candidates):
                if not np.isfinite(values[best]):
                    break
                tied = values[at] == values[best] and drawn[row, at] < drawn[row, best]
                if not np.isfinite(values[at]) or values[at] > values[best] or tied:
                    best = at
            ids[row, slot], scores[row, slot] = drawn[row, best], values[best]
