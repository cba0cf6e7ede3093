"""The best items of many queries: scans of growing samples guess a threshold, one scan finds all that reach it.

A guess is never trusted. The answer is certain if its worst score reaches the highest threshold that was used, since
then every item that could beat it was let through; otherwise the query is scanned again, with the worst score so far,
which k items reach, or with a more careful guess.
"""

import itertools
import threading
from typing import NamedTuple

import numpy as np

from mu_kernels._queries import Queries, allocate_queries, encode_queries
from mu_kernels._scan import Candidates, scan_rows, scan_tiles
from mu_kernels._select import answer, best_of_lists, tighten
from mu_kernels._vector.cpu import amx_granted
from mu_kernels._vector.tiles import TILE_PANELS, TILE_QUERIES, amx_tile_shapes
from mu_kernels.codes import BLOCK_PANELS, LANES, Codes, aligned, chunk_words_of
from mu_kernels.csr import CSR
from mu_kernels.threads import available_cpus, run_rows
from mu_kernels.topk import Hits, no_hits

QUERIES_PER_GROUP = 512  # enough to pay for joining the planes; their candidates still fit the cache
GROUP_BYTES = 1 << 26  # of candidates; fewer queries a group where k is large
FEW_QUERIES = 4  # up to here each query reads the planes by itself
SAMPLE_RATIO = 16  # each sample is so many times the one before, the last is everything
FIRST_SAMPLE_PANELS = 64  # at most
RUN = 4
PANELS_FOR_A_THREAD = 1024  # fewer are not worth handing over

_scratch = threading.local()


class Catalogue(NamedTuple):
    """What a search reads.

    Attributes:
      vectors: float32 [N, D].
      bias: float32 [N], or empty.
      groups: int32 [N] in [0, n_groups), or empty.
      n_groups: their number.
      largest_norm: of the vectors.
      largest_bias: the largest absolute bias.
      codes: of the vectors.
    """

    vectors: np.ndarray
    bias: np.ndarray
    groups: np.ndarray
    n_groups: int
    largest_norm: float
    largest_bias: float
    codes: Codes


def search(
    catalogue: Catalogue,
    queries: np.ndarray,
    k: int,
    exclude: CSR | None,
    allowed: np.ndarray,
    samples: list[tuple[np.ndarray, float]],
    per_group: int,
    bound_share: float,
    threads: int | None,
) -> Hits:
    """The best of the items whose bits in `allowed` (uint16 [panels]) are set.

    Args:
      queries: float32 [B, D].
      exclude: one row per query.
      samples: `samples_of(allowed)`.
      per_group: the most items of a group among a query's hits; 0 for any number.
      bound_share: 1 for certain answers. Less takes the bounds by that share only: fewer items are rescored, and some
        that belong in the answer may be missed.
    """
    hits = no_hits(len(queries), k)
    threads = available_cpus() if threads is None else threads
    room = max(1, min(4 * k + 4096, LANES * len(allowed)))
    size = max(32, min(QUERIES_PER_GROUP, GROUP_BYTES // (12 * room * threads) // 32 * 32))
    n_items = int(np.bitwise_count(allowed).sum())
    bounds = (catalogue.largest_norm, bound_share)
    for first in range(0, len(queries), size):
        rows = np.arange(first, min(first + size, len(queries)))
        todo: list[tuple[np.ndarray, int, np.ndarray | None]] = [(rows, k, None)]
        if exclude is not None:
            # A query that excludes nearly everything leaves few items to score, and samples that find none of them.
            n_excluded = np.diff(exclude.indptr[first : rows[-1] + 2])
            few_left = (n_excluded > n_items // 2) & (n_items - n_excluded <= room)
            if few_left.any():
                some = rows[few_left]
                _read_all(catalogue, queries, exclude, allowed, per_group, hits, some, threads)
                todo = [(rows[~few_left], k, None)] if not few_left.all() else []
        while todo:
            rows, rank, scores = todo.pop()
            group = np.ascontiguousarray(queries[rows])
            out = _rows_of(exclude, rows)
            encoded = allocate_queries(group, 2 * catalogue.codes.high.shape[1])
            run_rows(encode_queries, len(rows), threads, encoded, catalogue.codes.mean, *bounds, min_rows=64)
            candidates, thresholds = _scan(
                catalogue, encoded, len(rows), out, allowed, samples, rank, scores, room, threads
            )
            part = no_hits(len(rows), k)
            verdicts = np.empty(len(rows))
            arrays = (catalogue.groups, catalogue.n_groups, per_group, part.ids, part.scores, part.count, verdicts)
            run_rows(answer, len(rows), threads, *catalogue[:2], encoded, candidates, thresholds, *arrays, min_rows=4)
            hits.ids[rows], hits.scores[rows], hits.count[rows] = part.ids, part.scores, part.count
            again = np.isfinite(verdicts)
            if again.any():
                todo.append((rows[again], rank, verdicts[again]))
            # Fewer than k above the guess, as where groups are large: guess lower once, then read everything.
            short = verdicts == -np.inf
            flooded = np.isnan(verdicts) | (short & (rank > k))
            if flooded.any():
                _read_all(catalogue, queries, exclude, allowed, per_group, hits, rows[flooded], threads)
            if (short & ~flooded).any():
                todo.append((rows[short & ~flooded], 8 * rank, None))
    return hits


def best_of_candidates(
    catalogue: Catalogue,
    queries: np.ndarray,
    k: int,
    candidates: CSR,
    exclude: CSR | None,
    allowed: np.ndarray,
    per_group: int,
    threads: int | None,
) -> Hits:
    """The best of the items listed for each query, every one of them scored."""
    hits = no_hits(len(queries), k)
    ends = (candidates.indptr[:-1], candidates.indptr[1:])
    out = _rows_of(exclude, np.arange(len(queries)))
    settings = (allowed, catalogue.groups, catalogue.n_groups, per_group, hits.ids, hits.scores, hits.count)
    arrays = (*catalogue[:2], queries, *ends, candidates.indices, out, *settings)
    run_rows(best_of_lists, len(queries), threads, *arrays)
    return hits


def _rows_of(exclude: CSR | None, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if exclude is None:
        exclude = CSR(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32), 0)
    elif len(rows) != exclude.n_rows:
        exclude = exclude.take(rows)
    return exclude.indptr, exclude.indices


def _scan(
    catalogue: Catalogue,
    queries: Queries,
    n_queries: int,
    out_rows: tuple[np.ndarray, np.ndarray],
    allowed: np.ndarray,
    samples: list[tuple[np.ndarray, float]],
    rank: int,
    scores: np.ndarray | None,
    room: int,
    threads: int,
) -> tuple[Candidates, np.ndarray]:
    """The items that may reach the thresholds, and these: guesses at the `rank`-th best score, or `scores`."""
    codes = catalogue.codes
    most_parts = max(1, min(threads, max(len(panels) for panels, _ in samples) // PANELS_FOR_A_THREAD))
    candidates = _room_for(most_parts, n_queries, room)
    few = n_queries <= FEW_QUERIES
    n_words = queries.words.shape[1]
    chunk_words = chunk_words_of(codes.high.shape[1])
    tiles: tuple = ()
    if not few:
        scratch = aligned((most_parts, BLOCK_PANELS, n_words, LANES), np.uint32)
        sums = aligned((most_parts, TILE_PANELS * TILE_QUERIES * LANES), np.int32)
        init = aligned((most_parts, len(queries.words), LANES), np.int32)
        tiles = (scratch, sums, init, amx_granted(), chunk_words, amx_tile_shapes(chunk_words))

    def scan(chosen: np.ndarray) -> None:
        parts = max(1, min(threads, len(chosen) // PANELS_FOR_A_THREAD))
        arrays = (chosen, allowed, codes, queries, n_queries, thresholds, catalogue.largest_bias, out_rows, candidates)
        run_rows(scan_rows if few else scan_tiles, parts, threads, parts, *arrays, *tiles)

    if scores is not None:
        step, with_mean = queries.numbers[:n_queries, 0], queries.numbers[:n_queries, 1]
        thresholds = (scores - with_mean) / step
        sizes = np.abs(thresholds) + (np.abs(with_mean) + catalogue.largest_bias) / step
        thresholds -= 1e-5 * sizes + 2 * queries.numbers[:n_queries, 4]
        for panels, _ in samples:
            scan(panels)
        return candidates, thresholds
    thresholds = np.full(n_queries, -np.inf)
    scan(samples[0][0])
    for (_, share), (rest, _) in itertools.pairwise(samples):
        # So many of the best `rank` are expected in what was scanned, and three standard deviations and three more.
        guess = int(np.ceil(rank * share + 3 * np.sqrt(rank * share) + 3))
        run_rows(tighten, n_queries, threads, guess, candidates, thresholds, min_rows=16)
        scan(rest)
    return candidates, thresholds


def _room_for(parts: int, n_queries: int, room: int) -> Candidates:
    """No candidates yet, in memory that this thread keeps: new pages cost more than what is written to them."""
    shape, n_bytes = (parts, n_queries, room), 4 * parts * n_queries * room
    memory = getattr(_scratch, "memory", None)
    if memory is None or len(memory) < 3 * n_bytes:
        memory = np.empty(3 * n_bytes, np.uint8)
        if 3 * n_bytes <= GROUP_BYTES:
            _scratch.memory = memory
    ids, values, limits = (memory[at * n_bytes : (at + 1) * n_bytes] for at in range(3))
    return Candidates(
        ids.view(np.int32).reshape(shape),
        values.view(np.float32).reshape(shape),
        limits.view(np.float32).reshape(shape),
        np.zeros(shape[:2], np.int64),
    )


def samples_of(allowed: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Growing samples of the catalogue: the panels each adds, and the share of items that it and those before hold.

    Panels are taken in runs of four, which memory gives faster than single ones.
    """
    panels = np.flatnonzero(allowed)
    items = np.bitwise_count(allowed[panels])
    n_items, stride = max(1, int(items.sum())), 1
    while len(panels) > stride * FIRST_SAMPLE_PANELS:
        stride *= SAMPLE_RATIO
    run = np.arange(len(panels)) // RUN
    chosen = run % stride == 0
    samples = [(panels[chosen], int(items[chosen].sum()) / n_items)]
    while stride > 1:
        stride //= SAMPLE_RATIO
        new = (run % stride == 0) & ~chosen
        chosen |= new
        samples.append((panels[new], int(items[chosen].sum()) / n_items))
    return samples


def _read_all(
    catalogue: Catalogue,
    queries: np.ndarray,
    exclude: CSR | None,
    allowed: np.ndarray,
    per_group: int,
    hits: Hits,
    rows: np.ndarray,
    threads: int,
) -> None:
    """Scores every item for some of the queries, which codes cannot narrow down."""
    part = no_hits(len(rows), hits.ids.shape[1])
    items = _frozen(np.arange(len(catalogue.vectors), dtype=np.int32))
    ends = _frozen(np.zeros(len(rows), np.int64)), _frozen(np.full(len(rows), len(items)))
    settings = (allowed, catalogue.groups, catalogue.n_groups, per_group, part.ids, part.scores, part.count)
    arrays = (*catalogue[:2], _frozen(queries[rows]), *ends, items, _rows_of(exclude, rows), *settings)
    run_rows(best_of_lists, len(rows), threads, *arrays)
    hits.ids[rows], hits.scores[rows], hits.count[rows] = part.ids, part.scores, part.count


def _frozen(array: np.ndarray) -> np.ndarray:
    """Read-only, as every argument of that kernel: Numba compiles it once."""
    array.flags.writeable = False
    return array
