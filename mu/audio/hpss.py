"""Harmonic-percussive separation by median filters (Fitzgerald, DAFx 2010; margins of Driedger et al., ISMIR 2014).

Shapes: any leading axes `...`, N samples, F frames, K frequency bins.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from mu.audio import spectral
from mu.audio.medians import sliding_median


def harmonic_percussive(
    spectrum: jax.Array,
    *,
    kernel_frames: int = 31,
    kernel_bins: int = 31,
    power: float = 2.0,
    margin: float | tuple[float, float] = 1.0,
    mask: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """The harmonic and the percussive part of a spectrogram (`librosa.decompose.hpss`, transposed).

    With h the median over time and p the median over frequency of the magnitudes, the soft masks are
    h^power / (h^power + (margin p)^power) for the harmonic part, and the same with h and p exchanged for the
    percussive.

    Args:
      spectrum: complex64 or, as magnitudes >= 0, float32 [..., F, K].
      kernel_frames: frames of the median over time, odd.
      kernel_bins: bins of the median over frequency, odd.
      power: of the soft masks; inf for hard ones.
      margin: of both, or (harmonic, percussive), at least 1; above 1 the parts no longer add up to the whole.
      mask: the masks instead of what they let through.

    Returns:
      (harmonic, percussive), each of the shape and dtype of spectrum; float32 as masks.
    """
    spectrum = jnp.asarray(spectrum)
    if spectrum.dtype not in (jnp.complex64, jnp.float32) or spectrum.ndim < 2:
        raise TypeError(f"spectrum must be complex64 or float32 [..., F, K]; got {spectrum.dtype} {spectrum.shape}")
    harmonic_margin, percussive_margin = margin if isinstance(margin, tuple) else (margin, margin)
    if min(harmonic_margin, percussive_margin) < 1 or power <= 0:
        raise ValueError(f"margin={margin} must be at least 1 and power={power} positive")
    margins = (float(harmonic_margin), float(percussive_margin))
    masks = _masks(spectrum, kernel_frames, kernel_bins, float(power), margins)
    return masks if mask else (spectrum * masks[0].astype(spectrum.dtype), spectrum * masks[1].astype(spectrum.dtype))


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _masks(
    spectrum: jax.Array, kernel_frames: int, kernel_bins: int, power: float, margins: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
    magnitude = spectral.magnitude(spectrum) if spectrum.dtype == jnp.complex64 else spectrum
    harmonic = sliding_median(magnitude, kernel_frames, axis=-2)
    percussive = sliding_median(magnitude, kernel_bins, axis=-1)
    # Where there is neither, masks that add up to 1 share evenly.
    neither = 0.5 if margins == (1.0, 1.0) else 0.0
    return (
        _soft_mask(harmonic, percussive * jnp.float32(margins[0]), power, neither),
        _soft_mask(percussive, harmonic * jnp.float32(margins[1]), power, neither),
    )


def harmonic_percussive_waveforms(
    x: jax.Array,
    *,
    kernel_frames: int = 31,
    kernel_bins: int = 31,
    power: float = 2.0,
    margin: float | tuple[float, float] = 1.0,
    **options: Any,
) -> tuple[jax.Array, jax.Array]:
    """The two parts as sound: `harmonic_percussive` between `stft` and `istft` (`librosa.effects.hpss`).

    Args:
      x: float32 [..., N].
      options: of `spectral.stft`.

    Returns:
      (harmonic, percussive), float32 [..., N] each.
    """
    x = jnp.asarray(x)
    parts = harmonic_percussive(
        spectral.stft(x, **options), kernel_frames=kernel_frames, kernel_bins=kernel_bins, power=power, margin=margin
    )
    options.pop("pad_mode", None)
    harmonic, percussive = (spectral.istft(part, length_samples=x.shape[-1], **options) for part in parts)
    return harmonic, percussive


def _soft_mask(x: jax.Array, other: jax.Array, power: float, neither: float) -> jax.Array:
    """x^power / (x^power + other^power), or `neither` where both are 0 (`librosa.util.softmask`)."""
    if power == math.inf:
        return (x > other).astype(jnp.float32)
    larger = jnp.maximum(x, other)
    nothing = larger < jnp.float32(spectral.TINY)
    larger = jnp.where(nothing, jnp.float32(1), larger)
    # Of the ratios one is 1, so that no power of them overflows or leaves 0 / 0.
    a, b = _power(x / larger, power), _power(other / larger, power)
    return jnp.where(nothing, jnp.float32(neither), a / jnp.where(nothing, jnp.float32(1), a + b))


def _power(ratio: jax.Array, power: float) -> jax.Array:
    """ratio^power of a ratio in [0, 1], without the infinite slope that roots have at 0."""
    if power == round(power):
        return ratio ** int(power)
    positive = ratio > 0
    return jnp.where(positive, jnp.where(positive, ratio, jnp.float32(1)) ** jnp.float32(power), jnp.float32(0))
