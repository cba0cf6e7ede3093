"""Augmentations of time and pitch: shift, speed, time stretch, pitch shift. Shapes stay: clips are cut or padded.

Conventions of `mu.audio.augment`: each example draws its own values. Shapes: B examples, N samples, `...` channels
(which share their example's draws).
"""

import jax
import jax.numpy as jnp

from mu.audio import vocoder
from mu.audio.augment import Range, between, each, uniform
from mu.audio.interpolation import change_speed


def shift(key: jax.Array, x: jax.Array, *, max_samples: int, circular: bool = True, p: float = 1.0) -> jax.Array:
    """x moved in time by a whole number of samples, uniform in -max_samples..max_samples, later where positive.

    Args:
      x: float32 [B, ..., N].
      circular: what leaves at one end enters at the other; else silence enters.

    Returns:
      float32, the shape of x.
    """
    length = x.shape[-1]
    if not 0 <= max_samples <= length:
        raise ValueError(f"max_samples={max_samples} must lie in 0..{length} (x is {x.shape})")

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        later = (uniform(key) * (2 * max_samples + 1)).astype(jnp.int32) - max_samples
        source = jnp.arange(length, dtype=jnp.int32) - later
        moved = jnp.take(x, source % length, axis=-1, mode="clip")
        return moved if circular else jnp.where((source >= 0) & (source < length), moved, jnp.float32(0))

    return each(one, key, x, p)


def speed(
    key: jax.Array, x: jax.Array, *, rate: Range = (0.9, 1.1), zero_crossings: int = 8, p: float = 1.0
) -> jax.Array:
    """x read at a random speed: tempo and pitch change together (`interpolation.change_speed`).

    Args:
      x: float32 [B, ..., N]; what is read ends with silence where the rate is above 1 and is cut where it is below.
      rate: log-uniform.
      zero_crossings: 8 for clean sound, 1 for speed.

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        drawn = between(uniform(key), rate, "rate", logarithmic=True)
        return change_speed(x, drawn, length_samples=x.shape[-1], zero_crossings=zero_crossings)

    return each(one, key, x, p)


def time_stretch(
    key: jax.Array, x: jax.Array, *, rate: Range = (0.8, 1.25), n_fft: int = 1024, p: float = 1.0
) -> jax.Array:
    """x at a random tempo and its own pitch (`vocoder.time_stretch`), cut or padded with silence at the end.

    Args:
      x: float32 [B, ..., N].
      rate: log-uniform.
      n_fft: a frame of some 50 ms is a fair compromise.

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        drawn = between(uniform(key), rate, "rate", logarithmic=True)
        return vocoder.time_stretch(x, drawn, n_fft=n_fft, length_samples=x.shape[-1])

    return each(one, key, x, p)


def pitch_shift(
    key: jax.Array, x: jax.Array, *, semitones: Range = (-2.0, 2.0), n_fft: int = 1024, p: float = 1.0
) -> jax.Array:
    """x transposed by a random interval, uniform in `semitones` (`vocoder.pitch_shift`).

    Args:
      x: float32 [B, ..., N].
      n_fft: see `time_stretch`.

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        drawn = between(uniform(key), semitones, "semitones")
        return vocoder.pitch_shift(x, drawn, n_fft=n_fft, max_semitones=semitones[1])

    return each(one, key, x, p)
