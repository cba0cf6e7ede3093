"""Text tower: the mean of the vectors of a text's hashed n-grams, through a small network."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.heads import HeadLayers


class TextTower(nnx.Module):
    """Hashed n-grams int32 [B, G] (`mu.ngrams`), -1 where there is none, to float32 [B, size].

    Args:
      hash_size: places that n-grams are hashed to.
      dim: numbers of an n-gram's vector.
      size: numbers of the output.
      hidden: size of the hidden layer.
      dtype: of the computation after the mean.
      rngs: source of the initial values.
    """

    def __init__(self, hash_size: int, dim: int, size: int, hidden: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        start = jax.random.normal(rngs.params(), (hash_size, dim), jnp.float32) * dim**-0.5
        self.vectors = nnx.Param(start, axes=(None, None))
        self.layers = HeadLayers(dim, size, hidden, dtype=dtype, rngs=rngs)

    def __call__(self, ngrams: jax.Array) -> jax.Array:
        """A text without n-grams is the mean of none: zeros before the network."""
        counted = (ngrams >= 0)[..., None].astype(jnp.float32)
        vectors = self.vectors[...][jnp.maximum(ngrams, 0)] * counted
        return self.layers(jnp.sum(vectors, axis=-2) / jnp.maximum(jnp.sum(counted, axis=-2), 1.0))
