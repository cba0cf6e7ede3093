"""Augmentations of log-mel spectrograms: masks (SpecAugment), shifts and warps of the frequency axis.

Conventions of `mu.audio.augment`: each example draws its own values. Shapes: B examples, F frames, M mels, `...`
channels (which share their example's draws). No gathers: masks are comparisons, moving bins is a product with a matrix.
"""

import jax
import jax.numpy as jnp

from mu.audio.augment import Range, between, each, uniform
from mu.audio.framing import with_rank


def time_masks(
    key: jax.Array, x: jax.Array, *, count: int = 2, max_frames: int, fill: float | None = None, p: float = 1.0
) -> jax.Array:
    """`count` spans of frames replaced by a constant, each 0 to `max_frames` wide (SpecAugment, arXiv:1904.08779).

    Args:
      x: float32 [B, ..., F, M].
      fill: what stands there instead; None for the mean of the example (0 would be loud in decibels).

    Returns:
      float32, the shape of x.
    """
    return each(lambda key, x: _mask(key, x, -2, count, "max_frames", max_frames, fill), key, x, p)


def frequency_masks(
    key: jax.Array, x: jax.Array, *, count: int = 2, max_bins: int, fill: float | None = None, p: float = 1.0
) -> jax.Array:
    """`count` bands replaced by a constant, each 0 to `max_bins` mels wide; see `time_masks`."""
    return each(lambda key, x: _mask(key, x, -1, count, "max_bins", max_bins, fill), key, x, p)


def frequency_shift(key: jax.Array, x: jax.Array, *, bins: Range = (-2.0, 2.0), p: float = 1.0) -> jax.Array:
    """x moved up by a real number of mel bins, uniform in `bins`: a cheap transposition.

    Between bins it is interpolated linearly; the outermost bins are repeated where nothing moves in. Of mels on
    Slaney's scale a bin above 1 kHz is a fixed ratio of frequencies, so that all of it is transposed alike; on the HTK
    scale that is approached far above 700 Hz.

    Args:
      x: float32 [B, ..., F, M].

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        return _take_bins(x, jnp.arange(x.shape[-1], dtype=jnp.float32) - between(uniform(key), bins, "bins"))

    return each(one, key, x, p)


def frequency_warp(
    key: jax.Array, x: jax.Array, *, factor: Range = (0.9, 1.1), knee: float = 0.8, p: float = 1.0
) -> jax.Array:
    """The frequency axis stretched by a random factor, like another vocal tract (VTLP, Jaitly & Hinton 2013).

    What was at bin m comes to `factor` m, up to the knee; beyond it a second line leads to the last bin, which stays.
    The axis is that of the mels, not of Hertz; both break points lie at or below `knee` (M - 1).

    Args:
      x: float32 [B, ..., F, M].
      factor: uniform, positive.
      knee: in (0, 1).

    Returns:
      float32, the shape of x.
    """
    if not 0 < knee < 1 or factor[0] <= 0:
        raise ValueError(f"knee={knee} must lie in (0, 1) and factor={factor} be positive")

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        stretch = between(uniform(key), factor, "factor")
        last = x.shape[-1] - 1
        corner = knee * last * jnp.minimum(stretch, 1.0)  # where the break comes to; it was at corner / stretch
        to = jnp.arange(x.shape[-1], dtype=jnp.float32)
        beyond = last - (last - to) * (last - corner / stretch) / (last - corner)
        return _take_bins(x, jnp.where(to <= corner, to / stretch, beyond))

    return each(one, key, x, p)


def _mask(
    key: jax.Array, x: jax.Array, axis: int, count: int, name: str, max_width: int, fill: float | None
) -> jax.Array:
    length = x.shape[axis]
    if count < 0 or not 0 <= max_width <= length:
        raise ValueError(f"count={count} must not be negative, {name}={max_width} lie in 0..{length} (x is {x.shape})")
    wide, early = uniform(key, (2, count, 1))
    width = (wide * (max_width + 1)).astype(jnp.int32)
    start = (early * (length - width + 1).astype(jnp.float32)).astype(jnp.int32)
    at = jnp.arange(length, dtype=jnp.int32)
    masked = ((at[None] >= start) & (at[None] < start + width)).any(0)
    blot = x.mean() if fill is None else jnp.float32(fill)
    return jnp.where(with_rank(masked[:, None] if axis == -2 else masked, x.ndim), blot, x)


def _take_bins(x: jax.Array, positions: jax.Array) -> jax.Array:
    """x at real positions of its last axis, linear in between, the ends held. [..., F, M], [M] -> [..., F, M]."""
    bins = jnp.arange(x.shape[-1], dtype=jnp.float32)
    positions = jnp.clip(positions, 0.0, bins[-1])
    weights = jnp.maximum(1.0 - jnp.abs(bins[:, None] - positions[None]), 0.0)
    return jnp.matmul(x, weights, precision=jax.lax.Precision.HIGHEST)
