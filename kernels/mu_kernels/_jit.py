"""How a kernel is compiled: without the GIL, one thread, cached on disk where a writable folder exists.

A compiled kernel is cached under the modification time of the one file that defines it, so a kernel calls
only compiled helpers of its own file: a helper elsewhere could change and the stale machine code would stay.
"""

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks `function` for compilation at its first call; importing compiles nothing.

    The machine code is kept in Numba's cache folder (`NUMBA_CACHE_DIR`, `__pycache__` beside the file, or the
    user's cache folder, in this order). Where none of them can be written to, as on a read-only image, the
    kernel works all the same and every process compiles for itself.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "no locator available": Numba found no folder it may write to
        return numba.njit(nogil=True, cache=False)(function)


def address_kernel(function: Callable[[int], int]) -> Any:
    """Compiles a C function of one address, now; its `address` is what foreign code may call. Cached like `kernel`."""
    signature = numba.types.intp(numba.types.intp)
    try:
        return numba.cfunc(signature, cache=True)(function)
    except RuntimeError:  # as above
        return numba.cfunc(signature, cache=False)(function)
