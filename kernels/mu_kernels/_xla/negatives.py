"""Uniform negatives inside jit."""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mu_kernels._xla import twins
from mu_kernels._xla.calls import alike, by_rows, either, typed
from mu_kernels.negatives import NegativeSampler


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
    for name, value in (("weights", sampler.weights), ("available_from", exclusions.available_from)):
        if value is not None:
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
    return by_rows(functools.partial(either, "sample_negatives", twin), 4)


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
        typed(f"tables.{name}", getattr(tables, name), dtype, 1)
    if len(tables.indptr) != len(tables.log_q) + 1:
        raise ValueError(
            f"tables.indptr has {len(tables.indptr)} entries, tables.log_q {len(tables.log_q)}, not one less"
        )
    users = typed("users", users, "int32", 1)
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
    return _sample(n)(*alike(*map(jnp.asarray, jax.lax.stop_gradient(tables)), users, words))


def _halves(name: str, value: Any) -> tuple[jax.Array, jax.Array]:
    """A number modulo 2**64 as two uint32."""
    if isinstance(value, int | np.integer):
        word = int(value) % 2**64
        return jnp.asarray(np.uint32(word >> 32)), jnp.asarray(np.uint32(word & 0xFFFFFFFF))
    if jnp.ndim(value) != 0 or not jnp.issubdtype(jnp.result_type(value), jnp.integer):
        actual = f"{jnp.result_type(value)} of {jnp.ndim(value)} axes"
        raise TypeError(f"{name} is {actual}; it must be an integer, or an array of integers of no axes")
    signed = jnp.issubdtype(jnp.result_type(value), jnp.signedinteger)
    wide = jnp.result_type(value).itemsize == 8
    value = jnp.asarray(value).astype(f"{'int' if signed else 'uint'}{64 if wide else 32}")
    high = value >> 32 if wide else value >> 31 if signed else jnp.zeros_like(value)
    return high.astype(jnp.uint32), value.astype(jnp.uint32)
