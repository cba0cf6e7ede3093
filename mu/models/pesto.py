"""PESTO: the pitch of one voice or instrument, a frame at a time, from 16 kHz audio."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.models.pitch_frames import HOP_SAMPLES, SAMPLE_RATE_HZ, tile_outputs

BINS_PER_SEMITONE = 3
# The transform: bins of a third of a semitone, of which the middle one of the lowest three is A0.
LOWEST_HZ = 27.5 / 2 ** (1 / 36)
BINS = 251
# A bin's bandwidth is a constant share of its frequency, plus this: short windows at low frequencies.
GAMMA_HZ = 7.0
WINDOW_SAMPLES = 4096
EDGE_BINS = 16
PITCH_BINS = 128 * BINS_PER_SEMITONE
CHANNELS = (40, 30, 30, 10, 3)
KERNEL = 39
SLOPE = 0.3
_EPSILON = float(np.finfo(np.float32).eps)


class Pesto(nnx.Module):
    """Pitch by a network that is equivariant to transposition (Riou et al. 2023, arXiv:2309.02265).

    Convolutions over the frequencies of one frame of a variable-Q transform, in natural log power, end in a Toeplitz
    layer: what shifts the spectrum shifts the softmax over pitches. It has been learnt from singing without labels, and
    shifted once to the absolute pitch. About 130,000 weights.

    Args:
      rngs: of the initial weights.
    """

    window_samples = WINDOW_SAMPLES
    hop_samples = HOP_SAMPLES
    pad_mode = "reflect"
    edge_bins = EDGE_BINS
    bins_per_semitone = BINS_PER_SEMITONE

    def __init__(self, *, rngs: nnx.Rngs):
        def conv(inputs: int, outputs: int, size: int) -> nnx.Conv:
            return nnx.Conv(inputs, outputs, (size,), padding=((size // 2, size // 2),), rngs=rngs)

        bins = BINS - 2 * EDGE_BINS
        self.norm = nnx.LayerNorm(bins, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.first = conv(1, CHANNELS[0], KERNEL)
        self.residual_1 = conv(CHANNELS[0], CHANNELS[0], KERNEL)
        self.residual_2 = conv(CHANNELS[0], CHANNELS[0], KERNEL)
        self.narrow_1 = conv(CHANNELS[0], CHANNELS[1], 1)
        self.narrow_2 = conv(CHANNELS[1], CHANNELS[2], 1)
        self.narrow_3 = conv(CHANNELS[2], CHANNELS[3], 1)
        self.narrow_4 = conv(CHANNELS[3], CHANNELS[4], 1)
        self.toeplitz = nnx.Param(jnp.zeros(bins * CHANNELS[-1] + PITCH_BINS - 1, jnp.float32), axes=(None,))
        self.shift = nnx.Param(jnp.zeros(1, jnp.float32), axes=(None,))
        self.confidence = nnx.Conv(1, 1, (KERNEL,), strides=3, padding="VALID", rngs=rngs)
        self.voiced = nnx.Linear((BINS - KERNEL) // 3 + 2, 1, rngs=rngs)

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Pitches of tiles; frame f is centred on sample 160 f.

        Args:
          rows: unused; there are no tables.
          batch: 'audio' float32 [B, N], N > 2048; 'samples' int32 [B], how many of them are sound, for 'clip'.
          key: unused; nothing is random.

        Returns:
          what `pitches` gives, [B, F] and [B, F, 384]; 'clip' float32 [B, 384], the mean of 'activations' over the
          frames with sound.
        """
        del rows, key
        return tile_outputs(self.pitches, batch, WINDOW_SAMPLES, self.pad_mode)

    def pitches(self, frames: jax.Array) -> dict[str, jax.Array]:
        """The pitch of each frame.

        Args:
          frames: float32 [..., 4096], samples around the middle of each.

        Returns:
          'midi_pitch' float32 [...], 69 is 440 Hz; 'confidence' float32 [...], the probability that there is a pitch;
          'activations' float32 [..., 384], probabilities of the pitches 0, 1/3, 2/3, ...
        """
        log_power = self.log_power(frames)
        activations = self.activations(log_power[..., EDGE_BINS:-EDGE_BINS])
        return {
            "midi_pitch": self.pitch_of(activations),
            "confidence": self._confidence(jnp.exp(log_power), log_power),
            "activations": activations,
        }

    def log_power(self, frames: jax.Array) -> jax.Array:
        """float32 [..., 251]: natural logarithms of `variable_q_power` of frames float32 [..., 4096]."""
        return jnp.log(jnp.maximum(variable_q_power(frames), _EPSILON**2))

    def activations(self, x: jax.Array) -> jax.Array:
        """float32 [..., 384]: probabilities of pitches from 219 neighbouring bins of `log_power`.

        The bins from `edge_bins` on give the absolute pitch; those from one further on, a third of a semitone less.
        """
        lead = x.shape[:-1]
        x = self.norm(x.reshape(-1, x.shape[-1]))[..., None]
        x = nnx.leaky_relu(self.first(x), SLOPE)
        for layer in (self.residual_1, self.residual_2):
            x = x + nnx.leaky_relu(layer(x), SLOPE)
        for layer in (self.narrow_1, self.narrow_2, self.narrow_3, self.narrow_4):
            x = nnx.leaky_relu(layer(x), SLOPE)
        x = x.swapaxes(1, 2).reshape(len(x), -1)
        # Row i, column j of the layer's matrix is number i - j + 383 of its weights.
        at = np.arange(x.shape[-1])[:, None] - np.arange(PITCH_BINS)[None] + PITCH_BINS - 1
        probabilities = jax.nn.softmax(x @ self.toeplitz[...][at], axis=-1)
        bins = -jnp.round(self.shift[...][0] * BINS_PER_SEMITONE).astype(jnp.int32)
        return jnp.roll(probabilities, bins, axis=-1).reshape(*lead, PITCH_BINS)

    def pitch_of(self, activations: jax.Array) -> jax.Array:
        """float32 [...]: the mean pitch of the five bins about the greatest of [..., 384], by their probabilities."""
        bins = jnp.arange(PITCH_BINS, dtype=jnp.int32)
        top = jnp.argmax(activations, axis=-1).astype(jnp.int32)[..., None]
        away = jnp.abs(bins.reshape((1,) * (top.ndim - 1) + (PITCH_BINS,)) - top)
        near = jnp.where(away < BINS_PER_SEMITONE, activations, 0.0)
        return (near @ (bins.astype(jnp.float32) / BINS_PER_SEMITONE)) / jnp.sum(near, axis=-1)

    def _confidence(self, power: jax.Array, log_power: jax.Array) -> jax.Array:
        """From the spectrum's flatness (its geometric by its arithmetic mean) and its filtered shape."""
        flatness = jnp.exp(jnp.mean(log_power, axis=-1)) / jnp.maximum(jnp.mean(power, axis=-1), 1e-8)
        shape = nnx.relu(self.confidence(power.reshape(-1, BINS, 1)))[..., 0]
        features = jnp.concatenate([shape, flatness.reshape(-1, 1)], axis=-1)
        return nnx.sigmoid(self.voiced(features))[:, 0].reshape(power.shape[:-1])


def variable_q_power(frames: jax.Array) -> jax.Array:
    """|X_k|^2 of bins k at f_k = `LOWEST_HZ` 2^(k / 36), times the length of the bin's window.

    X_k is the sum of a frame's samples by a Hann window of sum 1 and e^(2 pi i f_k t). The window of bin k has
    Q rate / (f_k + gamma / (2^(1/36) - 1)) samples, Q = 1 / (2^(1/36) - 1) (Schörkhuber et al. 2014).

    Args:
      frames: float32 [..., 4096].

    Returns:
      float32 [..., 251].
    """
    kernels, lengths = _kernels()
    parts = jnp.square(frames @ kernels)
    return (parts[..., :BINS] + parts[..., BINS:]) * lengths.reshape((1,) * (frames.ndim - 1) + (BINS,))


def _kernels() -> tuple[np.ndarray, np.ndarray]:
    """(float32 [4096, 502], the real parts, then the imaginary ones; float32 [251], samples of the windows)."""
    step = 2 ** (1 / (12 * BINS_PER_SEMITONE)) - 1
    hz = LOWEST_HZ * 2 ** (np.arange(BINS) / (12 * BINS_PER_SEMITONE))
    lengths = np.ceil(SAMPLE_RATE_HZ / step / (hz + GAMMA_HZ / step))
    kernels = np.zeros((BINS, WINDOW_SAMPLES), np.complex128)
    for kernel, frequency, length in zip(kernels, hz, lengths.astype(int), strict=True):
        time = np.arange(length) - math.ceil(length / 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        begin = WINDOW_SAMPLES // 2 - math.ceil(length / 2)
        kernel[begin : begin + length] = window * np.exp(2j * np.pi * frequency / SAMPLE_RATE_HZ * time) / window.sum()
    return np.concatenate([kernels.real, kernels.imag]).T.astype(np.float32), lengths.astype(np.float32)
