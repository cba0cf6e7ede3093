"""The call frame that XLA's FFI hands to a handler on CPU: its buffers as arrays, where they lie.

Nothing can be raised from a handler: whatever the numbers, it stays within its arrays.
"""

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Layouts of xla/ffi/api/c_api.h, in words of 8 bytes.
FRAME_EXTENSION, FRAME_API, FRAME_ARGUMENTS, FRAME_RESULTS = 1, 2, 9, 14
BUFFER_DATA, BUFFER_DIMENSIONS = 3, 5
EXTENSION_METADATA = 1
API_VERSION, METADATA_VERSION = 4, 3  # two int32: major, minor


@intrinsic
def _pointer(typing_context, address):  # pyright: ignore[reportUnusedParameter]
    """A void pointer from an address."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.intp), generate


@numba.njit(inline="always")
def _words(address, n):
    return numba.carray(_pointer(address), (n,), np.int64)  # pyright: ignore  (numba passes the context itself)


@numba.njit
def buffers(address) -> tuple[int, int]:
    """(the arguments' buffers, the results' buffers), or two times 0 where XLA only asks for the version.

    The answer repeats the version that was asked for: `_xla.calls` registers handlers only where its layouts are known.
    """
    frame = _words(address, 16)
    extension = frame[FRAME_EXTENSION]
    if extension != 0:
        base = _words(extension, 4)
        if (base[1] & 0xFFFFFFFF) == EXTENSION_METADATA:
            if frame[FRAME_API] != 0:
                _words(base[3], 4)[METADATA_VERSION] = _words(frame[FRAME_API], 5)[API_VERSION]
            return 0, 0
    return frame[FRAME_ARGUMENTS], frame[FRAME_RESULTS]


def _reader(dtype, ndim):
    """A function that returns array number `number` of some buffers, where it lies."""

    @numba.njit
    def vector(buffers, number):
        buffer = _words(_words(buffers, number + 1)[number], 6)
        length = _words(buffer[BUFFER_DIMENSIONS], 1)[0]
        return numba.carray(_pointer(buffer[BUFFER_DATA]), (length,), dtype)  # pyright: ignore

    @numba.njit
    def matrix(buffers, number):
        buffer = _words(_words(buffers, number + 1)[number], 6)
        shape = _words(buffer[BUFFER_DIMENSIONS], 2)
        return numba.carray(_pointer(buffer[BUFFER_DATA]), (shape[0], shape[1]), dtype)  # pyright: ignore

    return vector if ndim == 1 else matrix


floats, float_matrix = _reader(np.float32, 1), _reader(np.float32, 2)
ints, int_matrix = _reader(np.int32, 1), _reader(np.int32, 2)
uint_matrix = _reader(np.uint32, 2)


@numba.njit
def row_bounds(starts, stops, q, n):
    """The first and the last position + 1 of row q, clipped to the n entries that there are."""
    begin = min(max(np.int64(starts[q]), 0), n)
    return begin, min(max(np.int64(stops[q]), begin), n)
