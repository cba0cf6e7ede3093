"""The best items of queries, and the ranks of given items, inside jit."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mu_kernels._xla import twins
from mu_kernels._xla.calls import alike, by_rows, either, typed
from mu_kernels._xla.gathered_dot import gathered_dot_gradients

Rows = tuple[jax.Array, jax.Array]  # (indptr, indices)


@functools.cache
def _top_k(k: int) -> Callable[..., Any]:
    """top_k for one k, of arrays that are all there: (vectors, bias, indices, queries, starts, stops)."""

    def find(vectors, bias, indices, queries, starts, stops):
        return either("top_k", functools.partial(twins.top_k, k), queries, vectors, bias, starts, stops, indices)

    find = by_rows(find, 3)
    differentiable = jax.custom_vjp(find)

    def forward(*arguments: jax.Array):
        hits = find(*arguments)
        return hits, (*arguments[:2], arguments[3], hits[1])

    def backward(saved: tuple[jax.Array, ...], gradients: tuple[jax.Array, Any, Any]):
        vectors, bias, queries, ids = saved
        real = ids >= 0
        gradient, ids = jnp.where(real, gradients[0], 0), jnp.where(real, ids, 0)
        to_queries, to_vectors = gathered_dot_gradients(gradient, queries, vectors, ids)
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
    return _top_k(k)(*alike(*_checked(queries, vectors, bias, exclude)))


def _checked(queries: Any, vectors: Any, bias: Any, exclude: Any) -> tuple[jax.Array, ...]:
    """(vectors, bias, indices, queries, starts, stops), empty where nothing was given."""
    queries, vectors = typed("queries", queries, "float32", 2), typed("vectors", vectors, "float32", 2)
    n_queries, n_items = len(queries), len(vectors)
    if queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} features; vectors have {vectors.shape[1]}")
    bias = jnp.zeros(0, jnp.float32) if bias is None else typed("bias", bias, "float32", 1)
    if len(bias) not in (0, n_items):
        raise ValueError(f"bias has {len(bias)} entries; there are {n_items} vectors")
    if exclude is None:
        nothing = jnp.zeros(n_queries, jnp.int32)
        return vectors, bias, jnp.zeros(0, jnp.int32), queries, nothing, nothing
    if not isinstance(exclude, tuple) or len(exclude) != 2:
        raise TypeError(f"exclude is {type(exclude).__name__}; it must be a pair of arrays (indptr, indices)")
    indptr = typed("exclude's indptr", exclude[0], "int32", 1)
    indices = typed("exclude's indices", exclude[1], "int32", 1)
    if len(indptr) != n_queries + 1:
        raise ValueError(f"exclude's indptr has {len(indptr)} entries; for {n_queries} queries it has {n_queries + 1}")
    return vectors, bias, indices, queries, indptr[:-1], indptr[1:]


def _rank_of(vectors, bias, indices, queries, starts, stops, targets):
    return either("rank_of", twins.rank_of, queries, vectors, bias, starts, stops, indices, targets)


_rank_of_rows = jax.custom_jvp(by_rows(_rank_of, 3))


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
    arrays, targets = _checked(queries, vectors, bias, exclude), typed("targets", targets, "int32", 1)
    if len(targets) != len(queries):
        raise ValueError(f"targets has {len(targets)} entries; there are {len(queries)} queries")
    return _rank_of_rows(*alike(*arrays, targets))
