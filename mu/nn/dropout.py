"""Dropout with an explicit key: the randomness of a call is an argument, never hidden state."""

import jax
import jax.numpy as jnp


def dropout(x: jax.Array, rate: float, key: jax.Array | None) -> jax.Array:
    """Sets entries to zero with probability `rate` and divides the rest by `1 - rate`.

    Args:
      x: any shape, any float dtype.
      rate: in [0, 1).
      key: a jax.random key; None (inference) returns `x` as it is.
    """
    if key is None or rate == 0.0:
        return x
    keep = jax.random.bernoulli(key, jnp.float32(1.0 - rate), x.shape)
    return jnp.where(keep, x / jnp.asarray(1.0 - rate, x.dtype), jnp.zeros((), x.dtype))
