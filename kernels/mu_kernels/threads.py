"""One helper that splits rows over threads; kernels themselves know nothing of threads."""

import collections
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# More blocks than threads, so that a thread that got heavy rows does not keep the others waiting.
BLOCKS_PER_THREAD = 4

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    """A forked child inherits the pool object but none of its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def available_cpus() -> int:
    """The number of CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_rows(kernel: Callable[..., Any], n_rows: int, threads: int | None, *arguments: Any, min_rows: int = 1) -> None:
    """Calls `kernel(first, stop, *arguments)` over ranges that cover `[0, n_rows)` once, in parallel.

    The calling thread works too, so calls from loader threads or from servers cannot wait for each other.
    Kernels write to disjoint rows of their outputs: the result is the same for any number of threads.

    Args:
      kernel: releases the GIL; handles rows `first <= row < stop`.
      threads: how many threads may work; None is one for each CPU this process may use.
      min_rows: rows below which a range is not split further, to pay for handing it over.

    Raises:
      ValueError: `threads` is below 1.
    """
    global _pool
    if threads is None:
        threads = available_cpus()
    if threads < 1:
        raise ValueError(f"threads is {threads}; it must be at least 1, or None for all CPUs")
    n_blocks = min(threads * BLOCKS_PER_THREAD, n_rows // max(min_rows, 1))
    if threads == 1 or n_blocks <= 1:
        if n_rows:
            kernel(0, n_rows, *arguments)
        return
    edges = [n_rows * block // n_blocks for block in range(n_blocks + 1)]
    ranges = collections.deque(itertools.pairwise(edges))

    def work() -> None:
        while True:
            try:
                first, stop = ranges.popleft()  # atomic, so each range is taken once
            except IndexError:
                return
            kernel(first, stop, *arguments)

    if _pool is None:
        _pool = ThreadPoolExecutor(max(available_cpus(), 1), thread_name_prefix="mu_kernels")
    helpers = [_pool.submit(work) for _ in range(min(threads, n_blocks) - 1)]
    try:
        work()
    finally:
        ranges.clear()
        errors = [helper.exception() for helper in helpers if not helper.cancel()]
    for error in errors:
        if error is not None:
            raise error
