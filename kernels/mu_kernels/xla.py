"""Kernels inside `jax.jit`: on CPU an XLA FFI call of a Numba-compiled function, elsewhere the same in plain JAX.

No copy and no Python at run time: XLA hands the compiled function the addresses of its own buffers. A call is one
thread. This module and its twins in plain JAX are the ones of mu_kernels that import JAX; `_inside_jit` is what they
call.

All work under `jit`, `scan` and `vmap`. On a mesh XLA does not know how to split a call: it gathers the arguments and
every device computes all rows. Inside `jax.shard_map` each device computes its own.
"""

import ctypes
import functools
import operator
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.ffi
import jax.numpy as jnp
import numba
import numpy as np

from mu_kernels import _xla_twins as twins
from mu_kernels._inside_jit import HANDLERS
from mu_kernels.compile import address_kernel
from mu_kernels.negatives import NegativeSampler

KNOWN_API_VERSIONS = ((0, 1), (0, 2), (0, 3))  # those with the layouts in `_inside_jit`
Rows = tuple[jax.Array, jax.Array]  # (indptr, indices)


@functools.cache
def api_version() -> tuple[int, int]:
    """(major, minor) of the FFI that the installed jaxlib speaks, read from the header it ships."""
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text()
    found = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", header) for part in ("MAJOR", "MINOR")]
    if found[0] is None or found[1] is None:
        raise RuntimeError("jaxlib's c_api.h does not say its XLA_FFI_API version")
    return int(found[0][1]), int(found[1][1])


@functools.cache
def _known() -> bool:
    """Whether CPU calls are possible; False, with a warning, where jaxlib's FFI is not one we know."""
    if numba.config.DISABLE_JIT:  # pyright: ignore
        return False
    known = api_version() in KNOWN_API_VERSIONS
    if not known:
        warnings.warn(
            f"mu_kernels.xla knows the XLA FFI versions {KNOWN_API_VERSIONS}; jaxlib has {api_version()}: "
            "its kernels run as plain JAX, which is slower on CPU",
            stacklevel=4,
        )
    return known


@functools.cache
def _target(name: str) -> str:
    """Compiles a handler and registers it with XLA, once."""
    handler = address_kernel(HANDLERS[name])
    _KEPT.append(handler)
    target = f"mu_kernels_{name}"
    capsule = jax.ffi.pycapsule(ctypes.cast(handler.address, ctypes.c_void_p))
    jax.ffi.register_ffi_target(target, capsule, platform="cpu")
    return target


# Compiled functions live as long as their Python objects; XLA keeps addresses only.
_KEPT: list[object] = []


def _either(name: str, twin: Callable[..., Any], *arguments: jax.Array) -> Any:
    """The FFI call where the program runs on a CPU, its twin elsewhere; the twin says what the results look like."""
    if not _known():
        return twin(*arguments)
    call = jax.ffi.ffi_call(_target(name), jax.eval_shape(twin, *arguments), vmap_method="sequential")
    return jax.lax.platform_dependent(*arguments, cpu=call, default=twin)


def _by_rows(function: Callable[..., Any], n_shared: int) -> Callable[..., Any]:
    """`function(*shared, *rows)` whose `vmap` over `rows` is one call with all rows; over `shared` calls in turn."""
    mapped = jax.custom_batching.custom_vmap(function)

    @mapped.def_vmap
    def fold(size: int, batched: Any, *arguments: jax.Array) -> Any:
        if any(batched[:n_shared]):
            moving = [argument for argument, moves in zip(arguments, batched, strict=True) if moves]

            def one(some: list[jax.Array]) -> Any:
                rest = iter(some)
                pairs = zip(arguments, batched, strict=True)
                return mapped(*(next(rest) if moves else argument for argument, moves in pairs))

            results = jax.lax.map(one, moving)
        else:
            rows = [
                argument if moves else jnp.broadcast_to(argument, (size, *argument.shape))
                for argument, moves in zip(arguments[n_shared:], batched[n_shared:], strict=True)
            ]
            n_rows = rows[0].shape[1]
            flat = [row.reshape(size * n_rows, *row.shape[2:]) for row in rows]
            results = jax.tree.map(
                lambda array: array.reshape(size, n_rows, *array.shape[1:]), mapped(*arguments[:n_shared], *flat)
            )
        return results, jax.tree.map(lambda _: True, results)

    return mapped


def _typed(name: str, array: Any, dtype: str, axes: int) -> jax.Array:
    if not hasattr(array, "dtype"):
        raise TypeError(f"{name} is {type(array).__name__}; it must be an array of {dtype}")
    if array.ndim != axes or array.dtype != dtype:
        raise TypeError(f"{name} is {array.dtype} of {array.ndim} axes; it must be {dtype} of {axes}")
    return jnp.asarray(array)


def _varying(array: jax.Array) -> frozenset[str]:
    """Axes of a mesh over which an array differs, inside `jax.shard_map`."""
    kind = jax.typeof(array)
    return kind.manual_axis_type.varying if hasattr(kind, "manual_axis_type") else kind.vma  # JAX before 0.10.2


def _alike(*arrays: jax.Array) -> list[jax.Array]:
    """The arrays, each said to differ over the axes over which one does: so do all results."""
    axes = frozenset().union(*map(_varying, arrays))
    missing = [tuple(axes - _varying(array)) for array in arrays]
    return [
        jax.lax.pcast(array, lacks, to="varying") if lacks else array
        for array, lacks in zip(arrays, missing, strict=True)
    ]


def _gradients(
    gradient: jax.Array, queries: jax.Array, vectors: jax.Array, ids: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return _either("gathered_dot_gradients", twins.gathered_dot_gradients, gradient, queries, vectors, ids)


@jax.custom_vjp
def _gathered_dot(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    return _either("gathered_dot_scores", twins.gathered_dot, queries, vectors, ids)


def _gathered_dot_forward(queries: jax.Array, vectors: jax.Array, ids: jax.Array):
    return _gathered_dot(queries, vectors, ids), (queries, vectors, ids)


def _gathered_dot_backward(saved: tuple[jax.Array, jax.Array, jax.Array], gradient: jax.Array):
    return (*_gradients(gradient, *saved), None)


_gathered_dot.defvjp(_gathered_dot_forward, _gathered_dot_backward)


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
    queries, vectors = _typed("queries", queries, "float32", 2), _typed("vectors", vectors, "float32", 2)
    return _gathered_dot(*_alike(queries, vectors, _typed("ids", ids, "int32", 2)))


@functools.cache
def _top_k(k: int) -> Callable[..., Any]:
    """top_k for one k, of arrays that are all there: (vectors, bias, indices, queries, starts, stops)."""

    def find(vectors, bias, indices, queries, starts, stops):
        return _either("top_k", functools.partial(twins.top_k, k), queries, vectors, bias, starts, stops, indices)

    find = _by_rows(find, 3)
    differentiable = jax.custom_vjp(find)

    def forward(*arguments: jax.Array):
        found = find(*arguments)
        return found, (*arguments[:2], arguments[3], found[1])

    def backward(saved: tuple[jax.Array, ...], gradients: tuple[jax.Array, Any, Any]):
        vectors, bias, queries, ids = saved
        real = ids >= 0
        gradient, ids = jnp.where(real, gradients[0], 0), jnp.where(real, ids, 0)
        to_queries, to_vectors = _gradients(gradient, queries, vectors, ids)
        to_bias = jnp.zeros_like(bias).at[ids].add(gradient) if bias.size else bias
        return to_vectors, to_bias, None, to_queries, None, None

    differentiable.defvjp(forward, backward)
    return differentiable


def top_k(
    queries: jax.Array, vectors: jax.Array, k: int, *, bias: jax.Array | None = None, exclude: Rows | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The k best items of each query, as `ItemIndex.top_k` finds them, without an index.

    The score of an item is `query . vector + bias`, summed in float64 and rounded to float32; the best come first, ties
    by lower id. On CPU exactly so: float32 products with a bound on their error say which items may be among the best,
    and these are scored in float64; O(B V D), one thread. Numbers below 2**-126 may count as 0. Elsewhere scores
    are float32 sums of the platform's highest precision (JAX has no float64 by default): the same up to the last
    bits, so items whose scores differ by as little may change places.

    An item whose score is NaN is never a hit: a query of NaN has none.

    Gradients of `scores` with respect to queries, vectors and bias are those of the k scores, the hits held fixed;
    slots past `count` give none. Forward mode is refused by JAX (it is a `custom_vjp`).

    `vmap` over queries, with `exclude`'s `indptr` or not, is one call with more rows; over vectors, bias or
    `exclude`'s `indices`, calls follow one another. The gradient's calls follow one another in any case.

    Args:
      queries: float32 [B, D].
      vectors: float32 [V, D].
      k: at least 1; may exceed V. Part of the program, not an array.
      bias: float32 [V].
      exclude: (indptr, indices), int32 [B + 1] and [E]: query b never hits `indices[indptr[b]:indptr[b + 1]]`, which
        must ascend (not checked).

    Returns:
      scores: float32 [B, k]; -inf in slots past `count`.
      ids: int32 [B, k]; -1 in slots past `count`.
      count: int32 [B], how many slots are real.

    Raises:
      TypeError: another type or rank, or a `k` that is no integer known when tracing; names the argument.
      ValueError: shapes differ, or `k` is below 1.
    """
    try:
        k = operator.index(k)
    except TypeError as error:  # a tracer's error is one too
        raise TypeError(f"k is {k!r}; it must be an integer that is known when tracing") from error
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    return _top_k(k)(*_alike(*_checked(queries, vectors, bias, exclude)))


def _checked(queries: Any, vectors: Any, bias: Any, exclude: Any) -> tuple[jax.Array, ...]:
    """(vectors, bias, indices, queries, starts, stops), empty where nothing was given."""
    queries, vectors = _typed("queries", queries, "float32", 2), _typed("vectors", vectors, "float32", 2)
    n_queries, n_items = len(queries), len(vectors)
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} features; vectors have {vectors.shape[1]}")
    bias = jnp.zeros(0, jnp.float32) if bias is None else _typed("bias", bias, "float32", 1)
    if len(bias) not in (0, n_items):
        raise ValueError(f"bias has {len(bias)} entries; there are {n_items} vectors")
    if exclude is None:
        nothing = jnp.zeros(n_queries, jnp.int32)
        return vectors, bias, jnp.zeros(0, jnp.int32), queries, nothing, nothing
    if not isinstance(exclude, tuple) or len(exclude) != 2:
        raise TypeError(f"exclude is {type(exclude).__name__}; it must be a pair of arrays (indptr, indices)")
    indptr = _typed("exclude's indptr", exclude[0], "int32", 1)
    indices = _typed("exclude's indices", exclude[1], "int32", 1)
    if len(indptr) != n_queries + 1:
        raise ValueError(f"exclude's indptr has {len(indptr)} entries; for {n_queries} queries it has {n_queries + 1}")
    return vectors, bias, indices, queries, indptr[:-1], indptr[1:]


def _rank_of(vectors, bias, indices, queries, starts, stops, targets):
    return _either("rank_of", twins.rank_of, queries, vectors, bias, starts, stops, indices, targets)


_rank_of_rows = jax.custom_jvp(_by_rows(_rank_of, 3))


@_rank_of_rows.defjvp
def _rank_of_gradient(primals: Any, tangents: Any) -> Any:
    raise TypeError(
        "rank_of counts items: it has no gradient. Where a loss only reports ranks, pass it "
        "jax.lax.stop_gradient of queries, vectors and bias"
    )


def rank_of(
    queries: jax.Array,
    vectors: jax.Array,
    targets: jax.Array,
    *,
    bias: jax.Array | None = None,
    exclude: Rows | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Where an item stands in each query's order: how many candidates score more, and how many the same.

    Scores are those of `top_k`, with what is said there of other platforms. Candidates are all items but the excluded
    ones; the target always is one.

    `vmap` is that of `top_k`; over targets it is one call as well.

    Args:
      queries: float32 [B, D].
      vectors: float32 [V, D].
      targets: int32 [B]; -1 marks an empty slot.
      bias: float32 [V].
      exclude: (indptr, indices), int32 [B + 1] and [E], rows ascending (not checked).

    Returns:
      greater: int32 [B].
      equal: int32 [B], the target included: at least 1, but 0 (and `greater` 0) for a target that is not in [0, V) or
        whose score is NaN.

    Raises:
      TypeError: another type or rank; or the call is differentiated.
      ValueError: shapes differ.
    """
    arrays, targets = _checked(queries, vectors, bias, exclude), _typed("targets", targets, "int32", 1)
    if len(targets) != len(queries):
        raise ValueError(f"targets has {len(targets)} entries; there are {len(queries)} queries")
    return _rank_of_rows(*_alike(*arrays, targets))


class NegativeTables(NamedTuple):
    """A `NegativeSampler` as arrays of JAX: what `sample_negatives` reads. 4 bytes a pair and 8 a user.

    Attributes:
      indptr: int32 [U + 1].
      indices: int32 [E], the items excluded for each user, ascending.
      log_q: float32 [U], the log-probability of each draw of a user; -inf where nothing is left.
      n_items: int32 [1].
    """

    indptr: jax.Array
    indices: jax.Array
    log_q: jax.Array
    n_items: jax.Array


def negative_tables(sampler: NegativeSampler) -> NegativeTables:
    """The tables of a uniform sampler, with or without `groups`, on JAX's default device.

    Raises:
      ValueError: the sampler has `weights` or `available_from`, or 2**31 pairs or more.
    """
    exclusions = sampler.exclusions
    for name, given in (("weights", sampler.weights), ("available_from", exclusions.available_from)):
        if given is not None:
            raise ValueError(
                f"the sampler has {name}, which sample_negatives does not support: draw with sampler.sample outside jit"
            )
    pairs = exclusions.pairs
    if len(pairs.indices) >= 2**31:
        raise ValueError(f"the sampler excludes {len(pairs.indices)} pairs; JAX's int32 counts up to 2**31 - 1")
    left = sampler.n_items - np.diff(pairs.indptr)
    with np.errstate(divide="ignore"):
        log_q = -np.log(left.astype(np.float64))
    log_q[left == 0] = -np.inf
    return NegativeTables(
        jnp.asarray(pairs.indptr.astype(np.int32)),
        jnp.asarray(pairs.indices),
        jnp.asarray(log_q.astype(np.float32)),
        jnp.asarray(np.array([sampler.n_items], np.int32)),
    )


@functools.cache
def _sample(n: int) -> Callable[..., Any]:
    """sample_negatives for one n: (indptr, indices, log_q, n_items, users, words)."""

    twin = functools.partial(twins.sample_negatives, n)
    return _by_rows(functools.partial(_either, "sample_negatives", twin), 4)


def sample_negatives(
    tables: NegativeTables, users: jax.Array, n: int, seed: Any, step: Any
) -> tuple[jax.Array, jax.Array]:
    """Draws `n` items for each row that its user has not seen: those of `NegativeSampler.sample`, to the byte.

    Under `vmap` each member is a call of its own, whose rows count from 0; over users, seed or step it is computed as
    one call with more rows, over tables calls follow one another.

    Args:
      tables: of `negative_tables`.
      users: int32 [B]; -1 marks an empty slot.
      n: draws in a row, not negative. Part of the program, not an array.
      seed: an integer of up to 64 bits, or an integer array of no axes.
      step: as `seed`, not negative (not checked in an array).

    Returns:
      ids: int32 [B, n]; 0 in empty slots.
      log_q: float32 [B, n], the log-probability of each draw given what the user has not seen; 0 in empty slots.
      A user with nothing left to draw, or that the tables do not have, gets id -1, which is no item, and log_q -inf,
      the logarithm of its probability: nothing can be raised inside jit, and a loss with this correction is not finite.

    Raises:
      TypeError: another type or rank, or an `n` that is no integer known when tracing; names the argument.
      ValueError: `n` or a `step` that is no array is negative.
    """
    if not isinstance(tables, NegativeTables):
        raise TypeError(f"tables is {type(tables).__name__}; it must be what negative_tables(sampler) returns")
    for name, dtype in (("indptr", "int32"), ("indices", "int32"), ("log_q", "float32"), ("n_items", "int32")):
        _typed(f"tables.{name}", getattr(tables, name), dtype, 1)
    if len(tables.indptr) != len(tables.log_q) + 1:
        raise ValueError(
            f"tables.indptr has {len(tables.indptr)} entries, tables.log_q {len(tables.log_q)}, not one less"
        )
    users = _typed("users", users, "int32", 1)
    try:
        n = operator.index(n)
    except TypeError as error:
        raise TypeError(f"n is {n!r}; it must be an integer that is known when tracing") from error
    for name, value in (("n", n), ("step", step)):
        if isinstance(value, int | np.integer) and value < 0:
            raise ValueError(f"{name} is {value}; it must not be negative")
    rows = jnp.arange(len(users), dtype=jnp.uint32)
    halves = [*_halves("seed", seed), *_halves("step", step)]
    words = jnp.stack([*(jnp.broadcast_to(half, rows.shape) for half in halves), rows], 1)
    return _sample(n)(*_alike(*map(jnp.asarray, jax.lax.stop_gradient(tables)), users, words))


def _halves(name: str, value: Any) -> tuple[jax.Array, jax.Array]:
    """A number modulo 2**64 as two uint32."""
    if isinstance(value, int | np.integer):
        word = int(value) % 2**64
        return jnp.asarray(np.uint32(word >> 32)), jnp.asarray(np.uint32(word & 0xFFFFFFFF))
    if jnp.ndim(value) != 0 or not jnp.issubdtype(jnp.result_type(value), jnp.integer):
        told = f"{jnp.result_type(value)} of {jnp.ndim(value)} axes"
        raise TypeError(f"{name} is {told}; it must be an integer, or an array of integers of no axes")
    signed = jnp.issubdtype(jnp.result_type(value), jnp.signedinteger)
    wide = jnp.result_type(value).itemsize == 8
    value = jnp.asarray(value).astype(f"{'int' if signed else 'uint'}{64 if wide else 32}")
    high = value >> 32 if wide else value >> 31 if signed else jnp.zeros_like(value)
    return high.astype(jnp.uint32), value.astype(jnp.uint32)
