"""Kernels inside `jax.jit`: on CPU an XLA FFI call of a Numba-compiled function, elsewhere the same in plain JAX.

No copy and no Python at run time: XLA hands the compiled function the addresses of its own buffers. This is the one
module of mu_kernels that imports JAX.
"""

import ctypes
import functools
import re
import warnings
from pathlib import Path

import jax
import jax.ffi
import jax.numpy as jnp
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mu_kernels._jit import address_kernel

# Layouts of xla/ffi/api/c_api.h, in words of 8 bytes, as of these versions of its API.
KNOWN_API_VERSIONS = ((0, 1), (0, 2), (0, 3))
FRAME_EXTENSION, FRAME_ARGUMENTS, FRAME_RESULTS = 1, 9, 14
BUFFER_DATA, BUFFER_DIMENSIONS = 3, 5
EXTENSION_METADATA = 1
METADATA_VERSION = 3  # two int32: major, minor


@functools.cache
def api_version() -> tuple[int, int]:
    """(major, minor) of the FFI that the installed jaxlib speaks, read from the header it ships."""
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text()
    found = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", header) for part in ("MAJOR", "MINOR")]
    if found[0] is None or found[1] is None:
        raise RuntimeError("jaxlib's c_api.h does not say its XLA_FFI_API version")
    return int(found[0][1]), int(found[1][1])


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
def _answer_version(frame, version):
    """Answers XLA's question for the API version at registration; True if this call was that question."""
    extension = frame[FRAME_EXTENSION]
    if extension == 0:
        return False
    base = _words(extension, 4)
    if (base[1] & 0xFFFFFFFF) != EXTENSION_METADATA:
        return False
    _words(base[3], 4)[METADATA_VERSION] = version
    return True


@numba.njit
def _shape(buffer):
    rank = buffer[4]
    dimensions = _words(buffer[BUFFER_DIMENSIONS], rank)
    return dimensions[0], dimensions[1]


@numba.njit
def _float_matrix(address):
    buffer = _words(address, 6)
    return numba.carray(_pointer(buffer[BUFFER_DATA]), _shape(buffer), np.float32)


@numba.njit
def _int_matrix(address):
    buffer = _words(address, 6)
    return numba.carray(_pointer(buffer[BUFFER_DATA]), _shape(buffer), np.int32)


@numba.njit(fastmath={"reassoc", "contract", "nsz"})
def _scores(queries, vectors, ids, out):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    for n in range(n_queries):
        query = queries[n]
        for k in range(n_ids):
            vector = vectors[ids[n, k]]
            total = np.float32(0)
            for d in range(dim):
                total += query[d] * vector[d]
            out[n, k] = total


@numba.njit(fastmath={"reassoc", "contract", "nsz"})
def _gradients(gradient, queries, vectors, ids, query_gradient, vector_gradient):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    vector_gradient[:] = 0
    for n in range(n_queries):
        query, to_query = queries[n], query_gradient[n]
        to_query[:] = 0
        for k in range(n_ids):
            weight = gradient[n, k]
            if weight == 0:  # empty positions
                continue
            vector, to_vector = vectors[ids[n, k]], vector_gradient[ids[n, k]]
            for d in range(dim):
                to_query[d] += weight * vector[d]
                to_vector[d] += weight * query[d]


@functools.cache
def _register() -> bool:
    """Compiles and registers the CPU calls; False, with a warning, where jaxlib's FFI is not one we know."""
    version = api_version()
    if version not in KNOWN_API_VERSIONS:
        warnings.warn(
            f"mu_kernels.xla knows the XLA FFI versions {KNOWN_API_VERSIONS}; jaxlib has {version}: "
            "its kernels run as plain JAX, which is slower on CPU",
            stacklevel=3,
        )
        return False
    packed = version[0] | version[1] << 32

    @address_kernel
    def scores_handler(address):
        frame = _words(address, 16)
        if _answer_version(frame, packed):
            return 0
        inputs, outputs = _words(frame[FRAME_ARGUMENTS], 3), _words(frame[FRAME_RESULTS], 1)
        _scores(_float_matrix(inputs[0]), _float_matrix(inputs[1]), _int_matrix(inputs[2]), _float_matrix(outputs[0]))
        return 0

    @address_kernel
    def gradients_handler(address):
        frame = _words(address, 16)
        if _answer_version(frame, packed):
            return 0
        inputs, outputs = _words(frame[FRAME_ARGUMENTS], 4), _words(frame[FRAME_RESULTS], 2)
        _gradients(
            _float_matrix(inputs[0]),
            _float_matrix(inputs[1]),
            _float_matrix(inputs[2]),
            _int_matrix(inputs[3]),
            _float_matrix(outputs[0]),
            _float_matrix(outputs[1]),
        )
        return 0

    for name, handler in (("scores", scores_handler), ("gradients", gradients_handler)):
        capsule = jax.ffi.pycapsule(ctypes.cast(handler.address, ctypes.c_void_p))
        jax.ffi.register_ffi_target(f"mu_kernels_gathered_dot_{name}", capsule, platform="cpu")
        _KEPT.append(handler)
    return True


# Compiled functions live as long as their Python objects; XLA keeps addresses only.
_KEPT: list[object] = []


def _plain(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    return jnp.einsum("nd,nkd->nk", queries, vectors[ids])


@jax.custom_vjp
def _on_cpu(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    shape = jax.ShapeDtypeStruct(ids.shape, jnp.float32)
    call = jax.ffi.ffi_call("mu_kernels_gathered_dot_scores", shape, vmap_method="sequential")
    return call(queries, vectors, ids)


def _forward(queries: jax.Array, vectors: jax.Array, ids: jax.Array):
    return _on_cpu(queries, vectors, ids), (queries, vectors, ids)


def _backward(saved: tuple[jax.Array, jax.Array, jax.Array], gradient: jax.Array):
    queries, vectors, ids = saved
    shapes = (
        jax.ShapeDtypeStruct(queries.shape, jnp.float32),
        jax.ShapeDtypeStruct(vectors.shape, jnp.float32),
    )
    call = jax.ffi.ffi_call("mu_kernels_gathered_dot_gradients", shapes, vmap_method="sequential")
    return (*call(gradient, queries, vectors, ids), None)


_on_cpu.defvjp(_forward, _backward)


def gathered_dot(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    """Scores of listed items: s[n, k] = <queries[n], vectors[ids[n, k]]>, with gradients of queries and vectors.

    Plain JAX writes the gathered [N, K, D] to memory, reads it back, and scatters as much in the gradient; here a
    row is used where it lies. On CPU one thread, whatever the machine: the same bits every time. Under `vmap` calls
    follow one another.

    Args:
      queries: float32 [N, D].
      vectors: float32 [V, D].
      ids: int32 [N, K], each in [0, V): not checked.

    Returns:
      float32 [N, K].

    Raises:
      TypeError: another type or rank.
    """
    for name, array, dtype in (("queries", queries, "float32"), ("vectors", vectors, "float32"), ("ids", ids, "int32")):
        if array.ndim != 2 or array.dtype != dtype:
            raise TypeError(f"{name} is {array.dtype} of {array.ndim} axes; it must be {dtype} of 2")
    if not _register():
        return _plain(queries, vectors, ids)
    return jax.lax.platform_dependent(queries, vectors, ids, cpu=_on_cpu, default=_plain)
