"""Products of a sparse matrix of ones with dense vectors inside jit, with gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mu_kernels._xla import twins
from mu_kernels._xla.calls import alike, either, typed


class Bipartite(NamedTuple):
    """Pairs of R rows and C columns, sorted both ways: row r is beside `columns[indptr[r] : indptr[r + 1]]`.

    Attributes:
      indptr: int32 [R + 1].
      columns: int32 [E], each in [0, C).
      column_indptr: int32 [C + 1].
      rows: int32 [E], each in [0, R); the same pairs, by column.
    """

    indptr: jax.Array
    columns: jax.Array
    column_indptr: jax.Array
    rows: jax.Array

    def transposed(self) -> "Bipartite":
        """The same pairs with rows and columns exchanged."""
        return Bipartite(self.column_indptr, self.rows, self.indptr, self.columns)


@jax.custom_vjp
def _neighbour_sums(vectors: jax.Array, pairs: Bipartite) -> jax.Array:
    return either("neighbour_sums", twins.neighbour_sums, vectors, pairs.indptr, pairs.columns)


def _forward(vectors: jax.Array, pairs: Bipartite):
    return _neighbour_sums(vectors, pairs), pairs


def _backward(pairs: Bipartite, gradient: jax.Array):
    return _neighbour_sums(gradient, pairs.transposed()), None


_neighbour_sums.defvjp(_forward, _backward)


def neighbour_sums(vectors: jax.Array, pairs: Bipartite) -> jax.Array:
    """For each row the sum of its columns' vectors: s[r] = sum over the pairs (r, c) of vectors[c].

    The product of the matrix of pairs and the vectors; its gradient is that of the transposed matrix. Plain JAX writes
    the gathered [E, D] to memory and scatters it; here a vector is added where it lies. On CPU one thread, whatever the
    machine: the same bits every time. Under `vmap` calls follow one another.

    Args:
      vectors: float32 [C, D].
      pairs: see `Bipartite`.

    Returns:
      float32 [R, D]; 0 for a row without pairs.

    Raises:
      TypeError: another type or rank.
      ValueError: there are not as many vectors as columns.
    """
    vectors = typed("vectors", vectors, "float32", 2)
    arrays = [typed(f"pairs.{name}", array, "int32", 1) for name, array in pairs._asdict().items()]
    if len(vectors) != len(pairs.column_indptr) - 1:
        raise ValueError(f"vectors has {len(vectors)} rows; pairs have {len(pairs.column_indptr) - 1} columns")
    vectors, *arrays = alike(vectors, *map(jnp.asarray, arrays))
    return _neighbour_sums(vectors, Bipartite(*arrays))
