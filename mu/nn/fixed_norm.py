"""Batch normalisation by the statistics of a training that is over."""

import jax
import jax.numpy as jnp
from flax import nnx


class FixedNorm(nnx.Module):
    """(x - mean) / sqrt(variance + eps) scale + shift over the last axis (Ioffe & Szegedy 2015, arXiv:1502.03167).

    Mean and variance come with the weights of a published network and never change: they are `nnx.BatchStat` variables,
    which `mu.training` keeps outside the gradient. (`mu.nn.batch_norm` is the one that measures its own.)

    Args:
      dim: D.
      eps: of the network.
      rngs: unused; every layer takes it.
    """

    def __init__(self, dim: int, *, eps: float, rngs: nnx.Rngs):
        del rngs
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(dim, jnp.float32), axes=(None,))
        self.shift = nnx.Param(jnp.zeros(dim, jnp.float32), axes=(None,))
        self.mean = nnx.BatchStat(jnp.zeros(dim, jnp.float32))
        self.variance = nnx.BatchStat(jnp.ones(dim, jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        """float32 [..., D] -> [..., D]."""
        factor = self.scale[...] * jax.lax.rsqrt(self.variance[...] + jnp.float32(self.eps))
        offset = self.shift[...] - self.mean[...] * factor
        axes = tuple(range(x.ndim - 1))
        return x * jnp.expand_dims(factor, axes) + jnp.expand_dims(offset, axes)
