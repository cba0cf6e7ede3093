"""What the machine can do at most, measured, and what a search asks of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from mu_kernels._vector.cpu import amx_granted
from mu_kernels._vector.tiles import TILE_PANELS, TILE_QUERIES, amx_begin, amx_end, amx_tile_shapes
from mu_kernels._vector.tiles import tile_products as products
from mu_kernels.codes import LANES, aligned, chunk_words_of, lines_of
from mu_kernels.search import FEW_QUERIES, QUERIES_PER_GROUP

PEAK_DIM = 512  # two panels and 32 queries of it fit the first-level cache; setting up a tile is little beside it
ROUNDS = 7


def scan_bytes(n_items: int, dim: int, batch: int) -> int:
    """Bytes that one batch must read at least: planes of codes, an item's scale, four bounds for 16 items.

    A batch of few reads the upper plane once, and of the lower what the upper does not decide (not counted); others
    read both planes once a group of queries. Nor counted: the float32 vectors that are rescored.
    """
    plane = n_items * 8 * lines_of(dim) // 2
    numbers = n_items * 4 + n_items // LANES * 16
    if batch <= FEW_QUERIES:
        return plane + numbers
    return -(-batch // QUERIES_PER_GROUP) * (2 * plane + numbers)


def scan_operations(n_items: int, dim: int, batch: int) -> int:
    """Integer multiplications and additions: every item with every query."""
    return 2 * n_items * dim * batch


def limits(n_items: int, dim: int, threads: int) -> dict[str, float]:
    """Bandwidth in bytes a second, of arrays as large as one plane and as both, and the integer peak a second."""
    with ThreadPoolExecutor(threads) as pool:
        plane = n_items * 8 * lines_of(dim) // 2
        return {
            "upper_plane": _bandwidth(plane, threads, pool),
            "both_planes": _bandwidth(2 * plane, threads, pool),
            "operations": integer_peak(threads, pool),
        }


def _bandwidth(n_bytes: int, threads: int, pool: ThreadPoolExecutor) -> float:
    """Of reading an array word by word, a part a thread (a vector loop; quicker than `np.sum` or a copy)."""
    words = np.ones(n_bytes // 8, np.int64)
    parts = np.array_split(words, threads)
    return n_bytes / _seconds(lambda: list(pool.map(_read, parts)))


@numba.njit(nogil=True)
def _read(words):
    results = np.int64(0)
    for i in range(len(words)):
        results ^= words[i]
    return results


def integer_peak(threads: int, pool: ThreadPoolExecutor) -> float:
    """Operations a second of `tile_products`, the instruction of the scan of many queries, on two cached panels."""
    lines = lines_of(PEAK_DIM)
    chunk = chunk_words_of(lines)
    repeats = 20_000

    def arguments() -> tuple[Any, ...]:
        codes = aligned((TILE_PANELS, 2 * lines, LANES), np.uint32)
        words = np.zeros((TILE_QUERIES, 2 * lines), np.int32)
        start = aligned((TILE_QUERIES, LANES), np.int32)
        sums = aligned((TILE_PANELS * TILE_QUERIES * LANES,), np.int32)
        return codes, 2 * lines, words, start, sums, amx_granted(), chunk, amx_tile_shapes(chunk)

    sets = [arguments() for _ in range(threads)]
    _repeat_products(1, *sets[0])
    took = _seconds(lambda: list(pool.map(lambda given: _repeat_products(repeats, *given), sets)))
    return threads * repeats * 2 * TILE_PANELS * LANES * TILE_QUERIES * PEAK_DIM / took


@numba.njit(nogil=True)
def _repeat_products(repeats, codes, n_words, words, start, sums, amx, chunk_words, tile_shapes):
    if amx:
        amx_begin(tile_shapes)
    for _ in range(repeats):
        products(codes, 0, n_words, words, 0, start, sums, amx, chunk_words)
    if amx:
        amx_end()


def _seconds(call: Callable[[], Any]) -> float:
    """The least of several: what disturbs a call is no limit."""
    call()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)


def shares(n_items: int, dim: int, batch: int, ms: float, most: dict[str, float]) -> dict[str, float]:
    """Of the measured limits, what a batch in so many milliseconds took."""
    bandwidth = most["upper_plane" if batch <= FEW_QUERIES else "both_planes"]
    return {
        "gb_per_s": scan_bytes(n_items, dim, batch) / ms / 1e6,
        "of_bandwidth": scan_bytes(n_items, dim, batch) / bandwidth / (ms / 1e3),
        "gop_per_s": scan_operations(n_items, dim, batch) / ms / 1e6,
        "of_operations": scan_operations(n_items, dim, batch) / most["operations"] / (ms / 1e3),
    }
