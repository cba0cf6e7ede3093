"""From frames to one vector: attention pooling with statistics."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear

LEAST_VARIANCE = 1e-4
"""Added to a variance: the root of 0 has no derivative."""


class AttentiveStatistics(nnx.Module):
    """Weighted mean and standard deviation over time (Okabe et al. 2018, arXiv:1803.10963); [B, F, D] -> [B, 2 D].

    a_f = softmax_f( v . tanh(W x_f) ); m = sum_f a_f x_f; s = sqrt( sum_f a_f (x_f - m)^2 ). v starts at 0: plain
    statistics at first.

    Args:
      dim: D.
      hidden: size of W x.
      dtype: of the computation; the statistics are float32.
      rngs: source of the initial values.
    """

    def __init__(self, dim: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.hidden = linear(dim, hidden, ("embed", None), dtype=dtype, rngs=rngs)
        self.score = nnx.Param(jnp.zeros(hidden, jnp.float32), axes=(None,))

    def scores(self, frames: jax.Array) -> jax.Array:
        """float32 [B, F]: v . tanh(W x_f) of frames [B, F, D]."""
        return jnp.tanh(self.hidden(frames)).astype(jnp.float32) @ self.score[...]

    def __call__(self, frames: jax.Array, mask: jax.Array) -> jax.Array:
        """[B, F, D], bool [B, F] -> float32 [B, 2 D]; frames outside the mask count for nothing."""
        attention = jax.nn.softmax(jnp.where(mask, self.scores(frames), -jnp.inf), axis=-1)[..., None]
        frames = frames.astype(jnp.float32)
        mean = jnp.sum(attention * frames, axis=1)
        variance = jnp.sum(attention * jnp.square(frames - mean[:, None]), axis=1)
        return jnp.concatenate([mean, jnp.sqrt(variance + LEAST_VARIANCE)], axis=-1)
