"""Large memory pages for tables on CPU.

A step reads and writes rows all over a table. Where a table of gigabytes lies in pages of 4 KiB, nearly every row costs
a walk through the page tables beside the row itself: measured (2 cores, 10 million rows of 64, lazy Adam), that doubled
to tripled a step. In pages of 2 MiB a step costs what it costs on a small table. Linux gives them on
request where its setting is 'madvise' (the default of most distributions); XLA does not ask.
"""

import ctypes
import mmap
import sys
from typing import Any

import jax

PAGE = 2 << 20
# MADV_COLLAPSE, Linux 6.1: moves what is already there into large pages, now. Python's mmap does not name it.
COLLAPSE = 25
# Smaller arrays fit the caches of addresses; moving them would be work for nothing.
SMALLEST = 64 << 20


def use_large_pages(state: Any) -> int:
    """Moves the large arrays of `state` into 2 MiB pages, where they lie; about a second per GB, once.

    Their contents and addresses stay, so it lasts as long as steps update them in place (donation). It is a wish:
    on other systems, accelerators, older kernels or with too little memory in one piece, nothing changes
    but the time a step takes.

    Args:
      state: arrays that nothing is computing.

    Returns:
      bytes in large pages that were asked for and granted.
    """
    if not sys.platform.startswith("linux") or jax.default_backend() != "cpu":
        return 0
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    granted = 0
    for array in jax.tree.leaves(jax.block_until_ready(state)):
        if array.nbytes < SMALLEST or jax.process_count() > 1:
            continue
        for shard in array.addressable_shards:
            start = shard.data.unsafe_buffer_pointer()
            first, end = -(-start // PAGE) * PAGE, (start + shard.data.nbytes) // PAGE * PAGE
            advise(first, end - first, mmap.MADV_HUGEPAGE)
            if advise(first, end - first, COLLAPSE) == 0:
                granted += end - first
    return granted
