"""Chroma: the energy of each pitch class, from an STFT or a constant-Q transform, after librosa.

Shapes: any leading axes `...`, N samples, F frames, K = n_fft // 2 + 1 frequency bins, C pitch classes.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.cqt import C1_HZ, check_tuning, cqt
from mu.audio.framing import with_rank
from mu.audio.largest import largest
from mu.audio.pitch import A0_HZ, estimate_tuning


def chroma_stft(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    tuning: float | jax.Array | None = None,
    n_chroma: int = 12,
    norm: float | None = math.inf,
    **options: Any,
) -> jax.Array:
    """Power at each pitch class: |STFT|^2 times Gaussian filters at every octave of it (`librosa.feature.chroma_stft`).

    Args:
      x: float32 [..., N].
      tuning: in bins of 1 / n_chroma octave, a number or one for each clip [...]; None estimates each clip's own,
        `estimate_tuning` of its power.
      norm: each frame's is 1: inf the largest entry, 1 their sum, 2 the Euclidean; None leaves the power.
      options: of `spectral.stft`. The hop is a quarter of the window by default, as there; librosa's is 512 whatever
        n_fft.

    Returns:
      float32 [..., F, C]; class 0 is C where n_chroma is a multiple of 12, see `chroma_filters`.
    """
    x = spectral.waveform(x)
    if tuning is None:
        tuning = estimate_tuning(x, sample_rate_hz, bins_per_octave=n_chroma, power=2.0, **options)
    return _chroma_stft(x, check_tuning(tuning, x), spectral.frames(**options), float(sample_rate_hz), n_chroma, norm)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _chroma_stft(
    x: jax.Array, tuning: jax.Array, frames: spectral.Frames, sample_rate_hz: float, n_chroma: int, norm: float | None
) -> jax.Array:
    filters = chroma_filters(sample_rate_hz, tuning, n_fft=frames.n_fft, n_chroma=n_chroma)

    def chroma(power: jax.Array) -> jax.Array:
        return _normalized(jnp.matmul(power, filters, precision=jax.lax.Precision.HIGHEST), norm)

    if tuning.ndim:  # filters of each clip's own
        return chroma(spectral.from_spectra(spectral.power, x, frames))
    return spectral.from_spectra(lambda spectrum: chroma(spectral.power(spectrum)), x, frames)


def chroma_cqt(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    tuning: float | jax.Array | None = None,
    n_chroma: int = 12,
    norm: float | None = math.inf,
    bins_per_octave: int = 36,
    n_octaves: int = 7,
    fmin_hz: float = C1_HZ,
    **options: Any,
) -> jax.Array:
    """Magnitude at each pitch class: the constant-Q bins nearest to it, summed over octaves
    (`librosa.feature.chroma_cqt`).

    Args:
      x: float32 [..., N].
      tuning: in bins of 1 / bins_per_octave; a number or one for each clip [...], see `cqt.vqt` for the difference;
        None estimates each clip's own.
      bins_per_octave: a multiple of n_chroma.
      norm: as in `chroma_stft`.
      options: of `cqt.vqt`.

    Returns:
      float32 [..., F, C], class 0 is C.
    """
    if bins_per_octave % n_chroma:
        raise ValueError(f"bins_per_octave={bins_per_octave} must be a multiple of n_chroma={n_chroma}")
    if tuning is None:
        tuning = estimate_tuning(x, sample_rate_hz, bins_per_octave=bins_per_octave)
    n_bins = n_octaves * bins_per_octave
    bins = cqt(
        x, sample_rate_hz, tuning=tuning, n_bins=n_bins, bins_per_octave=bins_per_octave, fmin_hz=fmin_hz, **options
    )
    merged = bins_per_octave // n_chroma
    first = round(12 * math.log2(fmin_hz / C1_HZ) % 12 * n_chroma / 12)
    nearest = (np.arange(n_bins) + merged // 2) // merged + first
    fold = jnp.asarray(nearest[:, None] % n_chroma == np.arange(n_chroma), jnp.float32)
    return _normalized(jnp.matmul(spectral.magnitude(bins), fold, precision=jax.lax.Precision.HIGHEST), norm)


def chroma_filters(
    sample_rate_hz: float, tuning: float | jax.Array = 0.0, *, n_fft: int = 2048, n_chroma: int = 12
) -> jax.Array:
    """Each FFT bin's share of each pitch class (`librosa.filters.chroma`, transposed; Ellis 2007).

    w[k, c] = exp(-(2 d / width_k)^2 / 2) with d the distance in bins of 1 / n_chroma octave from bin k to the nearest
    c and width_k that to the next FFT bin, at least 1. Each row is then scaled to the Euclidean norm
    exp(-((octave_k - 5) / 2)^2 / 2).

    Args:
      tuning: [...] in bins.

    Returns:
      float32 [..., K, C]. Class 0 lies 3 (n_chroma // 12) classes above A, as in librosa: it is C where n_chroma is a
      multiple of 12, and A below 12.
    """
    shift = jnp.asarray(tuning, jnp.float32)[..., None, None]
    position, width, from_class = (
        with_rank(jnp.asarray(array, jnp.float32), shift.ndim)
        for array in _chroma_grid(float(sample_rate_hz), n_fft, n_chroma)
    )
    half = round(n_chroma / 2)
    away = jnp.mod(from_class - shift + jnp.float32(half), jnp.float32(n_chroma)) - half
    weights = jnp.exp(jnp.float32(-0.5) * jnp.square(2 * away / width))
    weights = _normalized(weights, 2)
    octave = (position - shift) / n_chroma
    weights = weights * jnp.exp(jnp.float32(-0.5) * jnp.square((octave - 5) / 2))
    return jnp.roll(weights, -3 * (n_chroma // 12), axis=-1)


@functools.lru_cache(maxsize=16)
def _chroma_grid(sample_rate_hz: float, n_fft: int, n_chroma: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of untuned FFT bins: position above A0 [K, 1], width [K, 1], and distance from each class above A [K, C]."""
    frequencies_hz = np.arange(1, n_fft) * (sample_rate_hz / n_fft)
    position = n_chroma * np.log2(frequencies_hz / A0_HZ)
    position = np.append(position[0] - 1.5 * n_chroma, position)  # a place for 0 Hz
    width = np.append(np.maximum(np.diff(position), 1.0), 1.0)
    kept = slice(0, n_fft // 2 + 1)
    from_class = np.mod(position[kept, None] - np.arange(n_chroma), n_chroma)
    return position[kept, None], width[kept, None], from_class


def _normalized(chroma: jax.Array, norm: float | None) -> jax.Array:
    """Frames of numbers >= 0 divided by their norm, or left as they are where that is below the least normal float."""
    if norm is None:
        return chroma
    if norm == math.inf:
        length = largest(chroma)
    elif norm == 2:
        length = spectral.safe_sqrt(jnp.square(chroma).sum(-1, keepdims=True))
    elif norm == 1:
        length = chroma.sum(-1, keepdims=True)
    else:
        raise ValueError(f"norm={norm} must be inf, 2, 1 or None")
    return chroma / jnp.where(length < jnp.float32(spectral.TINY), jnp.float32(1), length)
