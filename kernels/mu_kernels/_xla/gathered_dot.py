"""Scores of listed items inside jit, with gradients."""

import jax

from mu_kernels._xla import twins
from mu_kernels._xla.calls import alike, either, typed


def gathered_dot_gradients(
    gradient: jax.Array, queries: jax.Array, vectors: jax.Array, ids: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return either("gathered_dot_gradients", twins.gathered_dot_gradients, gradient, queries, vectors, ids)


@jax.custom_vjp
def _gathered_dot(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    return either("gathered_dot_scores", twins.gathered_dot, queries, vectors, ids)


def _gathered_dot_forward(queries: jax.Array, vectors: jax.Array, ids: jax.Array):
    return _gathered_dot(queries, vectors, ids), (queries, vectors, ids)


def _gathered_dot_backward(saved: tuple[jax.Array, jax.Array, jax.Array], gradient: jax.Array):
    return (*gathered_dot_gradients(gradient, *saved), None)


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
    queries, vectors = typed("queries", queries, "float32", 2), typed("vectors", vectors, "float32", 2)
    return _gathered_dot(*alike(queries, vectors, typed("ids", ids, "int32", 2)))
