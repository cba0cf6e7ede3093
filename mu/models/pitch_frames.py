"""What networks that look at a frame of 16 kHz audio at a time share: where frames lie, and a tile's vector."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from mu.audio.framing import frame, pad_last

SAMPLE_RATE_HZ = 16000
HOP_SAMPLES = 160


def tile_outputs(
    pitches: Callable[[jax.Array], dict[str, jax.Array]],
    batch: Mapping[str, jax.Array],
    window_samples: int,
    pad_mode: str,
) -> dict[str, jax.Array]:
    """Outputs of a network for tiles; frame f is centred on sample 160 f.

    Args:
      pitches: float32 [B, F, window_samples] to 'activations' [B, F, D] and others.
      batch: 'audio' float32 [B, N]; 'samples' int32 [B], how many of them are sound.
      window_samples: of a frame.
      pad_mode: how a tile goes on before its first sample and behind its last (`mu.audio.framing.pad_last`).

    Returns:
      what `pitches` gives; 'clip' float32 [B, D], the mean of 'activations' over the frames whose middle is sound, at
      least the first.
    """
    side = window_samples // 2
    outputs = pitches(frame(pad_last(batch["audio"], side, side, pad_mode), window_samples, HOP_SAMPLES))
    activations = outputs["activations"]
    sounding = jnp.maximum(-(-batch["samples"] // HOP_SAMPLES), 1)
    mask = jnp.arange(activations.shape[1], dtype=jnp.int32)[None] < sounding[:, None]
    total = jnp.sum(jnp.where(mask[..., None], activations, 0.0), axis=1)
    return {**outputs, "clip": total / jnp.sum(mask, axis=1)[:, None].astype(jnp.float32)}
