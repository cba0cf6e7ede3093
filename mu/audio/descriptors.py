"""Spectral descriptors (centroid, bandwidth, rolloff, flatness, contrast), zero crossings and RMS: librosa's, in JAX.

Shapes: any leading axes `...`, N samples, F frames, K = n_fft // 2 + 1 bins. The spectral descriptors take magnitudes
(`spectral.magnitude(spectral.stft(x))`), so that all of them share one transform, and all but the decibels of
`contrast` treat frames one by one. A frame of silence gives 0, but for flatness: 1.

Bin k is taken for k sample_rate_hz / (2 (K - 1)), as librosa does with magnitudes: n_fft must be even. Of an odd one
all frequencies come out too high by n_fft / (n_fft - 1).
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.framing import TINY, frame_sums, pad_last, with_rank
from mu.audio.largest import largest

# Bins that `rolloff` sums in one product.
_BLOCK_BINS = 32


@functools.partial(jax.jit, static_argnames=("sample_rate_hz",))
def centroid(magnitude: jax.Array, sample_rate_hz: float) -> jax.Array:
    """sum_k f_k p_k, p the magnitudes of a frame over their sum (`librosa.feature.spectral_centroid`).

    Args:
      magnitude: float32 [..., F, K] >= 0.

    Returns:
      float32 [..., F], Hz.
    """
    frequencies_hz = jnp.asarray(_frequencies_hz(magnitude, sample_rate_hz), jnp.float32)
    return jnp.matmul(_shares(magnitude), frequencies_hz, precision=jax.lax.Precision.HIGHEST)


@functools.partial(jax.jit, static_argnames=("sample_rate_hz", "p"))
def bandwidth(magnitude: jax.Array, sample_rate_hz: float, *, p: float = 2.0) -> jax.Array:
    """(sum_k p_k |f_k - centroid|^p)^(1/p) (`librosa.feature.spectral_bandwidth`). [..., F, K] -> [..., F], Hz."""
    if p <= 0:
        raise ValueError(f"p={p} must be positive")
    frequencies_hz = jnp.asarray(_frequencies_hz(magnitude, sample_rate_hz), jnp.float32)
    away = jnp.abs(with_rank(frequencies_hz, magnitude.ndim) - centroid(magnitude, sample_rate_hz)[..., None])
    shares = _shares(magnitude)
    if p == 2:
        return spectral.safe_sqrt((shares * jnp.square(away)).sum(-1))
    spread = (shares * away ** jnp.float32(p)).sum(-1)
    positive = spread > 0
    root = jnp.where(positive, spread, jnp.ones_like(spread)) ** jnp.float32(1 / p)
    return jnp.where(positive, root, jnp.zeros_like(root))


@functools.partial(jax.jit, static_argnames=("sample_rate_hz", "share"))
def rolloff(magnitude: jax.Array, sample_rate_hz: float, *, share: float = 0.85) -> jax.Array:
    """The lowest bin's frequency below which `share` of the magnitude lies (`librosa.feature.spectral_rolloff`).

    A step function of the magnitudes: its gradient is 0. [..., F, K] -> [..., F], Hz.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share} must lie between 0 and 1")
    frequencies_hz = _frequencies_hz(magnitude, sample_rate_hz)
    # Running sums as products with triangles of ones, in blocks and over blocks: XLA's cumsum takes 8 times as long.
    bins = magnitude.shape[-1]
    blocks = -(-bins // _BLOCK_BINS)
    split = pad_last(magnitude, 0, blocks * _BLOCK_BINS - bins)
    split = split.reshape(*magnitude.shape[:-1], blocks, _BLOCK_BINS)
    before = jnp.matmul(split.sum(-1), _ones_above(blocks, 1), precision=jax.lax.Precision.HIGHEST)
    total = jnp.matmul(split, _ones_above(_BLOCK_BINS, 0), precision=jax.lax.Precision.HIGHEST) + before[..., None]
    # They only grow, so the bins that miss the threshold are the first ones: their number is the index.
    below = (total < jnp.float32(share) * total[..., -1:, -1:]).sum((-2, -1), dtype=jnp.int32)
    return below.astype(jnp.float32) * jnp.float32(frequencies_hz[1])


@functools.partial(jax.jit, static_argnames=("amin", "power"))
def flatness(magnitude: jax.Array, *, amin: float = 1e-10, power: float = 2.0) -> jax.Array:
    """Geometric over arithmetic mean of max(magnitude^power, amin) (`librosa.feature.spectral_flatness`).

    1 for white noise, near 0 for a tone. [..., F, K] -> [..., F].
    """
    if amin <= 0 or power <= 0:
        raise ValueError(f"amin={amin} and power={power} must be positive")
    if power == 2:
        energy = jnp.square(magnitude)
    else:  # a power below 1 has no slope at 0
        positive = magnitude > 0
        energy = jnp.where(positive, magnitude, jnp.ones_like(magnitude)) ** jnp.float32(power)
        energy = jnp.where(positive, energy, jnp.zeros_like(energy))
    energy = jnp.maximum(energy, jnp.float32(amin))
    return jnp.exp(jnp.log(energy).mean(-1)) / energy.mean(-1)


@functools.partial(jax.jit, static_argnames=("sample_rate_hz", "fmin_hz", "n_bands", "quantile", "linear"))
def contrast(
    magnitude: jax.Array,
    sample_rate_hz: float,
    *,
    fmin_hz: float = 200.0,
    n_bands: int = 6,
    quantile: float = 0.02,
    linear: bool = False,
) -> jax.Array:
    """Peaks over valleys in octave bands (Jiang et al. 2002; `librosa.feature.spectral_contrast`).

    Band 0 is [0, fmin_hz], band b is [fmin_hz 2^(b-1), fmin_hz 2^b], the last one reaching to the Nyquist frequency. A
    peak is the mean of the largest `quantile` of a band's bins (one at least), a valley that of the smallest.

    Args:
      magnitude: float32 [..., F, K].
      linear: peak - valley instead of the difference of their decibels (each floored 80 dB below the clip's largest).

    Returns:
      float32 [..., F, n_bands + 1].
    """
    if not 0 < quantile < 1 or n_bands < 1 or fmin_hz <= 0:
        raise ValueError(f"quantile={quantile} must lie in (0, 1), n_bands={n_bands} and fmin_hz={fmin_hz} be positive")
    frequencies_hz = _frequencies_hz(magnitude, sample_rate_hz)
    edges_hz = np.concatenate([[0.0], fmin_hz * 2.0 ** np.arange(n_bands + 1)])
    if edges_hz[-2] >= sample_rate_hz / 2:
        raise ValueError(
            f"band {n_bands} starts at {edges_hz[-2]} Hz, beyond half of {sample_rate_hz} Hz: lower fmin_hz or n_bands"
        )
    peaks, valleys = [], []
    for band, (low, high) in enumerate(itertools.pairwise(edges_hz)):
        bins = np.flatnonzero((frequencies_hz >= low) & (frequencies_hz <= high))
        # As librosa cuts them: a band above the first begins one bin earlier and all but the last end one earlier,
        # while the quantile counts both of these bins.
        first = bins[0] - (band > 0) if len(bins) else 0
        end = len(frequencies_hz) if band == n_bands else first + len(bins) + (band > 0)
        count = max(round(quantile * (end - first)), 1)
        inside = magnitude[..., first : end if band == n_bands else end - 1]
        if not len(bins) or not inside.shape[-1]:
            raise ValueError(f"band {band}, {low} to {high} Hz, holds no bin: use a larger n_fft or fewer bands")
        peaks.append(_mean_of_largest(inside, count))
        valleys.append(-_mean_of_largest(-inside, count))
    peak, valley = jnp.stack(peaks, axis=-1), jnp.stack(valleys, axis=-1)
    return peak - valley if linear else spectral.power_to_db(peak) - spectral.power_to_db(valley)


@functools.partial(jax.jit, static_argnames=("frame_samples", "hop_samples", "center"))
def zero_crossing_rate(
    x: jax.Array, *, frame_samples: int = 2048, hop_samples: int = 512, center: bool = True
) -> jax.Array:
    """Share of a frame's samples whose sign differs from the one before (`librosa.feature.zero_crossing_rate`).

    Within 1e-10 of zero counts as +0; the first sample of a frame never crosses. Its gradient is 0.

    Args:
      x: float32 [..., N].
      center: frames are centred, the signal's ends repeated.

    Returns:
      float32 [..., F].
    """
    if frame_samples < 2:
        raise ValueError(f"frame_samples={frame_samples} holds no two neighbours")
    x = spectral.pad_centered(x, frame_samples, "edge") if center else spectral.waveform(x)
    negative = x < jnp.float32(-1e-10)
    crossed = (negative[..., 1:] != negative[..., :-1]).astype(jnp.float32)
    # The crossings at samples 1.. of a frame; frames of frame_samples - 1 keep the first sample out.
    return frame_sums(crossed, frame_samples - 1, hop_samples) / jnp.float32(frame_samples)


@functools.partial(jax.jit, static_argnames=("frame_samples", "hop_samples", "center", "pad_mode"))
def rms(
    x: jax.Array,
    *,
    frame_samples: int = 2048,
    hop_samples: int = 512,
    center: bool = True,
    pad_mode: str = "constant",
) -> jax.Array:
    """Square root of a frame's mean square (`librosa.feature.rms`). float32 [..., N] -> [..., F]."""
    x = spectral.pad_centered(x, frame_samples, pad_mode) if center else spectral.waveform(x)
    return spectral.safe_sqrt(frame_sums(jnp.square(x), frame_samples, hop_samples) / jnp.float32(frame_samples))


def _frequencies_hz(magnitude: jax.Array, sample_rate_hz: float) -> np.ndarray:
    """Centres of the bins, float64 [K]."""
    if magnitude.ndim < 2 or magnitude.shape[-1] < 2:
        raise ValueError(f"magnitude must be [..., F, K] with at least 2 bins; got shape {magnitude.shape}")
    return np.linspace(0.0, sample_rate_hz / 2, magnitude.shape[-1])


def _shares(magnitude: jax.Array) -> jax.Array:
    """Magnitudes that sum to 1, or 0 where a frame is silent (sum below the smallest normal float32)."""
    total = magnitude.sum(-1, keepdims=True)
    return magnitude / jnp.where(total < jnp.float32(TINY), jnp.ones_like(total), total)


def _ones_above(n: int, offset: int) -> jax.Array:
    """[n, n], 1 where the column is at least the row + offset: the product with it is a running sum."""
    return jnp.asarray(np.triu(np.ones((n, n)), offset), jnp.float32)


def _mean_of_largest(x: jax.Array, count: int) -> jax.Array:
    """Mean of the `count` largest of the last axis. As many passes of a maximum take longer than `top_k`, but for 1."""
    return largest(x)[..., 0] if count == 1 else jax.lax.top_k(x, count)[0].mean(-1)
