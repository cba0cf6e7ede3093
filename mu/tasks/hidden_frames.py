"""Spans of frames that are hidden from an encoder, and the mean of a loss over them."""

import jax
import jax.numpy as jnp


def spans(key: jax.Array, shape: tuple[int, ...], share: float, span_frames: int) -> jax.Array:
    """bool [B, F']: frames in spans that begin anywhere, also before the first; each with probability `share`.

    A span begins at a frame with probability 1 - (1 - share)^(1 / span_frames). Spans may overlap.
    """
    size, length = shape
    begin = 1.0 - (1.0 - share) ** (1.0 / span_frames)
    begins = jax.random.bernoulli(key, jnp.float32(begin), (size, length + span_frames - 1))
    return jnp.stack([begins[:, at : at + length] for at in range(span_frames)]).any(axis=0)


def of_frames(hidden: jax.Array, stride_frames: int, spectrogram: jax.Array) -> jax.Array:
    """bool [B, F, 1]: frames of a spectrogram [B, F, M] that hidden frames of the encoder, bool [B, F'], stand for."""
    return jnp.repeat(hidden, stride_frames, axis=1)[:, : spectrogram.shape[1], None]


def mean_over_hidden(values: jax.Array, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means over hidden frames, and weights.

    Args:
      values: float32 [B, F'].
      hidden: bool [B, F'].

    Returns:
      (the mean of `values` where `hidden`, [B]; 0 of a clip without a hidden frame, else 1, float32 [B]).
    """
    counted = hidden.astype(jnp.float32)
    count = jnp.sum(counted, axis=1)
    return jnp.sum(values * counted, axis=1) / jnp.maximum(count, 1.0), jnp.minimum(count, 1.0)
