"""Batch normalisation of vectors, with running statistics that the train step carries along."""

import jax
import jax.numpy as jnp
from flax import nnx

# Share of the running statistics that a step keeps: an average over some twenty steps, while weights still move.
MOMENTUM = 0.95


class BatchNorm(nnx.Module):
    """(x - mean) / sqrt(variance + eps), scaled and shifted (Ioffe & Szegedy 2015, arXiv:1502.03167).

    In training, mean and variance are those of the whole batch (under jit: over all devices), and the running ones move
    towards them; at inference they are the running ones, so that a clip alone gives what it gives in a batch. The
    running statistics are `nnx.BatchStat` variables: `mu.training` keeps them in `state['stats']`, outside the
    gradient.

    Args:
      dim: D.
      rngs: unused; every layer takes it.
    """

    def __init__(self, dim: int, *, rngs: nnx.Rngs):
        del rngs
        self.scale = nnx.Param(jnp.ones(dim, jnp.float32), axes=(None,))
        self.shift = nnx.Param(jnp.zeros(dim, jnp.float32), axes=(None,))
        self.mean = nnx.BatchStat(jnp.zeros(dim, jnp.float32))
        self.variance = nnx.BatchStat(jnp.ones(dim, jnp.float32))
        self.count = nnx.BatchStat(jnp.zeros((), jnp.float32))

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        """float32 [B, D] -> [B, D]."""
        mean, variance = self.mean[...], self.variance[...]
        if training:
            mean = jnp.mean(x, axis=0)
            variance = jnp.mean(jnp.square(x - mean[None]), axis=0)
            # The first steps average all batches so far: the initial values are no statistics of any.
            keep = jnp.minimum(MOMENTUM, self.count[...] / (self.count[...] + 1.0))
            self.mean[...] = keep * self.mean[...] + (1.0 - keep) * jax.lax.stop_gradient(mean)
            self.variance[...] = keep * self.variance[...] + (1.0 - keep) * jax.lax.stop_gradient(variance)
            self.count[...] = self.count[...] + 1.0
        normal = (x - mean[None]) * jax.lax.rsqrt(variance + 1e-5)[None]
        return normal * self.scale[...][None] + self.shift[...][None]
