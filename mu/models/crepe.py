"""CREPE: the pitch of one voice or instrument, from the waveform, a frame at a time."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.models.pitch_frames import HOP_SAMPLES, tile_outputs
from mu.nn.fixed_norm import FixedNorm

WINDOW_SAMPLES = 1024
PITCH_BINS = 360
CENTS_PER_BIN = 20.0
# Cents above 10 Hz of bin 0, which is 31.7 Hz.
LOWEST_CENTS = 1997.3794084376191
# Channels of the six layers, by the published names.
SIZES = {"tiny": (128, 16, 16, 16, 32, 64), "full": (1024, 128, 128, 128, 256, 512)}
# Bins to each side of the greatest that its pitch is the mean of.
NEAR_BINS = 4


class CrepeLayer(nnx.Module):
    """Convolution, ReLU, batch norm, and the greater of every two places.

    Args:
      inputs: channels in.
      outputs: channels out.
      size: of the kernel.
      stride: of the convolution.
      padding: places before and behind.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, padding: tuple[int, int], *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(inputs, outputs, (size,), strides=stride, padding=(padding,), rngs=rngs)
        self.norm = FixedNorm(outputs, eps=0.0010000000474974513, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """float32 [B, P, C] -> [B, P / stride / 2, C']."""
        return nnx.max_pool(self.norm(nnx.relu(self.conv(x))), (2,), strides=(2,))


class Crepe(nnx.Module):
    """Pitch by six convolutions over 64 ms of the waveform (Kim et al. 2018, arXiv:1802.06182).

    A frame is brought to mean 0 and deviation 1, so loudness does not matter. 360 outputs, 20 cents apart from
    31.7 to 2,005 Hz, are the probabilities of the pitches.

    Args:
      size: 'tiny' (487,096 values) or 'full' (22 million).
      rngs: of the initial weights.
    """

    window_samples = WINDOW_SAMPLES
    hop_samples = HOP_SAMPLES
    pad_mode = "constant"

    def __init__(self, size: str = "tiny", *, rngs: nnx.Rngs):
        if size not in SIZES:
            raise ValueError(f"size={size!r}; it must be one of {', '.join(SIZES)}")
        channels = (1, *SIZES[size])
        self.layers = nnx.List(
            CrepeLayer(inputs, outputs, 64 if at else 512, 1 if at else 4, (31, 32) if at else (254, 254), rngs=rngs)
            for at, (inputs, outputs) in enumerate(itertools.pairwise(channels))
        )
        self.classifier = nnx.Linear(4 * channels[-1], PITCH_BINS, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Pitches of tiles; frame f is centred on sample 160 f.

        Args:
          rows: unused; there are no tables.
          batch: 'audio' float32 [B, N]; 'samples' int32 [B], how many of them are sound, for 'clip'.
          key: unused; nothing is random.

        Returns:
          what `pitches` gives, [B, F] and [B, F, D]; 'clip' float32 [B, 360], the mean of 'activations' over the
          frames with sound.
        """
        del rows, key
        return tile_outputs(self.pitches, batch, WINDOW_SAMPLES, self.pad_mode)

    def pitches(self, frames: jax.Array) -> dict[str, jax.Array]:
        """The pitch of each frame.

        Args:
          frames: float32 [..., 1024], samples around the middle of each.

        Returns:
          'midi_pitch' float32 [...], 69 is 440 Hz; 'confidence' float32 [...], the greatest probability;
          'activations' float32 [..., 360], probabilities.
        """
        lead = frames.shape[:-1]
        x = frames.reshape(-1, WINDOW_SAMPLES)
        x = x - jnp.mean(x, axis=1, keepdims=True)
        x = (x / jnp.maximum(jnp.std(x, axis=1, keepdims=True, ddof=1), 1e-10))[..., None]
        for layer in self.layers:
            x = layer(x)
        activations = nnx.sigmoid(self.classifier(x.reshape(len(x), -1)))
        bins = jnp.arange(PITCH_BINS, dtype=jnp.int32)
        away = jnp.abs(bins[None] - jnp.argmax(activations, axis=1).astype(jnp.int32)[:, None])
        near = jnp.where(away <= NEAR_BINS, activations, 0.0)
        cents = (near @ (CENTS_PER_BIN * bins.astype(jnp.float32) + LOWEST_CENTS)) / jnp.sum(near, axis=1)
        return {
            "midi_pitch": (cents / 100.0 + (69.0 - 12.0 * math.log2(44.0))).reshape(lead),
            "confidence": jnp.max(activations, axis=1).reshape(lead),
            "activations": activations.reshape(*lead, PITCH_BINS),
        }
