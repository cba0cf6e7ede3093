"""Decibels of powers and amplitudes, and back: librosa's definitions and defaults, in JAX."""

import math

import jax
import jax.numpy as jnp

from mu.audio.largest import largest


def power_to_db(
    power: jax.Array, *, ref: float | str = 1.0, amin: float = 1e-10, top_db: float | None = 80.0
) -> jax.Array:
    """10 log10(max(power, amin) / max(ref, amin)), floored `top_db` below the largest (`librosa.power_to_db`).

    Args:
      power: float32 [..., F, K].
      ref: the power of 0 dB, or 'max': the largest of each clip.
      amin: the least power told apart.
      top_db: dynamic range, None for no floor. The largest is of each clip, its last two axes: librosa takes it over
        the whole array, so that a clip's features depend on its batch.

    Returns:
      float32, the shape of `power`.
    """
    if amin <= 0:
        raise ValueError(f"amin={amin} must be positive")
    if isinstance(ref, str) and ref != "max":
        raise ValueError(f"ref={ref!r}: give a power or 'max'")
    power = jnp.asarray(power)
    db = jnp.log(jnp.maximum(power, jnp.float32(amin))) * jnp.float32(10 / math.log(10))
    if isinstance(ref, str):
        db = db - largest(db, min(db.ndim, 2))
    else:
        db = db - jnp.float32(10 * math.log10(max(amin, abs(ref))))
    return floor_db(db, top_db)


def floor_db(db: jax.Array, top_db: float | None) -> jax.Array:
    """Nothing more than `top_db` below the largest of its clip; None leaves all. float32 [..., F, K], same out."""
    if top_db is None:
        return db
    if top_db < 0:
        raise ValueError(f"top_db={top_db} must not be negative")
    return jnp.maximum(db, largest(db, min(db.ndim, 2)) - jnp.float32(top_db))


def amplitude_to_db(
    magnitude: jax.Array, *, ref: float | str = 1.0, amin: float = 1e-5, top_db: float | None = 80.0
) -> jax.Array:
    """20 log10(max(magnitude, amin) / max(ref, amin)): `power_to_db` of the square (`librosa.amplitude_to_db`)."""
    ref = ref if isinstance(ref, str) else ref**2
    return power_to_db(jnp.square(jnp.asarray(magnitude)), ref=ref, amin=amin**2, top_db=top_db)


def db_to_power(db: jax.Array, *, ref: float = 1.0) -> jax.Array:
    """ref 10^(db / 10): the inverse of `power_to_db` above its floor (`librosa.db_to_power`)."""
    return jnp.float32(ref) * jnp.exp(jnp.asarray(db) * jnp.float32(math.log(10) / 10))
