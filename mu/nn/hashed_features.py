"""What is known of something in words (artist, tags, country), as the sum of a vector for each."""

import jax
import jax.numpy as jnp
from flax import nnx


class Words(nnx.Module):
    """Vectors of hashed words, added up and divided by the root of their number.

    Args:
      buckets: how many vectors there are; words that share a bucket share its vector.
      dim: D.
      scale: standard deviation of the initial values.
      rngs: source of the initial values.
    """

    def __init__(self, buckets: int, dim: int, scale: float, *, rngs: nnx.Rngs):
        self.buckets = buckets
        self.vectors = nnx.Param(scale * jax.random.normal(rngs.params(), (buckets, dim)), axes=("rows", "embed"))

    def __call__(self, words: jax.Array) -> jax.Array:
        """int32 [..., P] in [0, buckets), -1 for none -> float32 [..., D]; 0 where nothing is known."""
        known = words >= 0
        found = jnp.where(known[..., None], self.vectors[jnp.maximum(words, 0)], 0.0)
        return found.sum(axis=-2) * jax.lax.rsqrt(jnp.maximum(known.sum(axis=-1, keepdims=True), 1).astype(jnp.float32))
