"""Vectors at unit length, and at mean 0 and deviation 1; nothing here is learnt."""

import jax
import jax.numpy as jnp


def unit(x: jax.Array) -> jax.Array:
    """`x / |x|` over the last axis; the zero vector stays zero, with a finite gradient."""
    return x * jax.lax.rsqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=True) + 1e-12)


def standardised(x: jax.Array) -> jax.Array:
    """`(x - mean) / deviation` over the last axis, computed in float32: layer normalisation without parameters."""
    x = x.astype(jnp.float32)
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=-1, keepdims=True) + 1e-6)
