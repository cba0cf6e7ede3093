"""Self-attention under a mask; packed rows: several histories share a row and never see each other."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear


def packed_mask(segments: jax.Array) -> jax.Array:
    """bool [B, 1, T, T]: position t may look at s when both belong to one segment.

    Args:
      segments: int32 [B, T]; 0 marks empty positions, which look at each other only (no row of the mask is
        empty, so the softmax stays finite).
    """
    return (segments[:, :, None] == segments[:, None, :])[:, None]


def packed_causal_mask(segments: jax.Array) -> jax.Array:
    """bool [B, 1, T, T]: `packed_mask` where also s <= t."""
    length = segments.shape[-1]
    return packed_mask(segments) & jnp.tril(jnp.ones((1, 1, length, length), bool))


def rotate(x: jax.Array, positions: jax.Array, base: float = 10_000.0) -> jax.Array:
    """Rotary position embedding (Su et al. 2021, arXiv:2104.09864), halves rotated against each other.

    Args:
      x: [B, T, heads, H], H even.
      positions: int32 [B, T].
      base: the longest wavelength is 2 pi times this.
    """
    half = x.shape[-1] // 2
    frequency = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = positions.astype(jnp.float32)[:, :, None, None] * frequency[None, None, None]
    cos, sin = jnp.cos(angle).astype(x.dtype), jnp.sin(angle).astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class SelfAttention(nnx.Module):
    """Multi-head self-attention under a mask (Vaswani et al. 2017), [B, T, D] -> [B, T, D].

    Attributes:
      rotary: queries and keys are rotated by their positions.
    """

    def __init__(self, dim: int, heads: int, *, rotary: bool, dtype: jnp.dtype, rngs: nnx.Rngs):
        if dim % heads:
            raise ValueError(f"dim={dim} is not a multiple of heads={heads}")
        if rotary and (dim // heads) % 2:
            raise ValueError(f"rotary positions need an even head size; dim={dim}, heads={heads} give {dim // heads}")
        self.heads = heads
        self.rotary = rotary
        self.query = linear(dim, dim, ("embed", "heads"), dtype=dtype, rngs=rngs)
        self.key = linear(dim, dim, ("embed", "heads"), dtype=dtype, rngs=rngs)
        self.value = linear(dim, dim, ("embed", "heads"), dtype=dtype, rngs=rngs)
        self.out = linear(dim, dim, ("heads", "embed"), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array, positions: jax.Array) -> jax.Array:
        batch, length, dim = x.shape
        shape = (batch, length, self.heads, dim // self.heads)
        query, key, value = (layer(x).reshape(shape) for layer in (self.query, self.key, self.value))
        if self.rotary:
            query, key = rotate(query, positions), rotate(key, positions)
        with jax.numpy_dtype_promotion("standard"):  # JAX asks for the promotion of bfloat16 and float32
            mixed = jax.nn.dot_product_attention(query, key, value, mask=mask)
        return self.out(mixed.reshape(batch, length, dim))
