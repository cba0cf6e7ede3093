"""Embeddings of hashed categorical features (artist, tags, country), several to a row."""

import jax
import jax.numpy as jnp
from flax import nnx


class HashedFeatures(nnx.Module):
    """The sum of the vectors of hashed features, divided by the square root of their number.

    Args:
      hash_size: number of vectors; features with one hash share its vector.
      dim: D.
      scale: standard deviation of the initial values.
      rngs: source of the initial values.
    """

    def __init__(self, hash_size: int, dim: int, scale: float, *, rngs: nnx.Rngs):
        self.hash_size = hash_size
        self.vectors = nnx.Param(
            scale * jax.random.normal(rngs.params(), (hash_size, dim), jnp.float32), axes=("rows", "embed")
        )

    def __call__(self, features: jax.Array) -> jax.Array:
        """int32 [..., P] in [0, hash_size), -1 for none -> float32 [..., D]; 0 for rows without features."""
        is_feature = features >= 0
        vectors = jnp.where(is_feature[..., None], self.vectors[jnp.maximum(features, 0)], 0.0)
        count = jnp.maximum(is_feature.sum(axis=-1, keepdims=True), 1).astype(jnp.float32)
        return vectors.sum(axis=-2) * jax.lax.rsqrt(count)
