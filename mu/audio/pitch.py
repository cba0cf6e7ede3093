"""Spectral peaks, and the tuning estimated from them, after librosa.

Shapes: any leading axes `...`, N samples, F frames, K = n_fft // 2 + 1 frequency bins.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from mu.audio import medians, spectral
from mu.audio.framing import with_rank

A0_HZ = 27.5


def spectral_peaks(
    magnitude: jax.Array,
    sample_rate_hz: float,
    *,
    fmin_hz: float = 150.0,
    fmax_hz: float = 4000.0,
    threshold: float = 0.1,
    n_fft: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Local maxima of each frame above `threshold` times its largest bin, by parabolic interpolation
    (`librosa.piptrack`).

    With a, b, c the magnitudes of three bins and b the largest, the peak lies (c - a) / 2 / (2 b - a - c) bins above
    b's.

    Args:
      magnitude: float32 [..., F, K].
      fmin_hz: peaks whose bin lies in [fmin_hz, fmax_hz).
      fmax_hz: see `fmin_hz`.
      n_fft: samples of a frame, 2 (K - 1) unless it was odd.

    Returns:
      (pitch_hz, peak magnitude), float32 [..., F, K] each, 0 where there is no peak.
    """
    n_fft = 2 * (magnitude.shape[-1] - 1) if n_fft is None else n_fft
    if n_fft // 2 + 1 != magnitude.shape[-1]:
        raise ValueError(f"n_fft={n_fft} has {n_fft // 2 + 1} bins, the magnitudes have shape {magnitude.shape}")
    bins = _bins_between(n_fft, sample_rate_hz, fmin_hz, fmax_hz)
    sides = [(0, 0)] * (magnitude.ndim - 1) + [(bins.start, magnitude.shape[-1] - bins.stop)]
    pitch_hz, height = _peaks(magnitude, sample_rate_hz / n_fft, bins, threshold)
    return jnp.pad(pitch_hz, sides), jnp.pad(height, sides)


def estimate_tuning(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    bins_per_octave: int = 12,
    resolution: float = 0.01,
    power: float = 1.0,
    **options: Any,
) -> jax.Array:
    """How far the pitches are from A = 440 Hz, in bins: the commonest deviation of the stronger spectral peaks.

    Peaks (`spectral_peaks` of |STFT|^power) of at least the median height of all count, in a histogram of steps of
    `resolution` (`librosa.estimate_tuning`; for each clip, where librosa makes one of all channels).

    Args:
      x: float32 [..., N].
      power: 1 for magnitudes, 2 for power, of which loud frames have more peaks counted.
      options: of `spectral.stft`.

    Returns:
      float32 [...], in [-0.5, 0.5): the lower edge of the fullest step; 0 without any peak. No gradient.
    """
    if not 0 < resolution <= 1:
        raise ValueError(f"resolution={resolution} must lie in (0, 1], in bins")
    if power not in (1, 2):
        raise ValueError(f"power={power} must be 1 (magnitudes) or 2")
    x = jax.lax.stop_gradient(spectral.waveform(x))
    return _tuning(
        x, spectral.frames(**options), float(sample_rate_hz), bins_per_octave, math.ceil(1 / resolution), power
    )


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4, 5))
def _tuning(
    x: jax.Array, frames: spectral.Frames, sample_rate_hz: float, bins_per_octave: int, steps: int, power: float
) -> jax.Array:
    bins = _bins_between(frames.n_fft, sample_rate_hz, 150.0, 4000.0)

    def peaks(spectrum: jax.Array) -> jax.Array:
        energy = spectral.power(spectrum)
        energy = energy if power == 2 else spectral.safe_sqrt(energy)
        return jnp.concatenate(_peaks(energy, sample_rate_hz / frames.n_fft, bins, 0.1), axis=-1)

    clips = x.shape[:-1]
    pitch_hz, height = (
        part.reshape(*clips, -1) for part in jnp.split(spectral.from_spectra(peaks, x, frames), 2, axis=-1)
    )
    is_peak = pitch_hz > 0
    counted = is_peak & (height >= medians.median(height, is_peak)[..., None])
    position = bins_per_octave * jnp.log2(jnp.where(is_peak, pitch_hz, jnp.float32(A0_HZ)) / jnp.float32(A0_HZ))
    # Steps from -0.5: a deviation of 0.95 is one of -0.05.
    step = jnp.floor(jnp.mod(position + jnp.float32(0.5), jnp.float32(1)) * steps).astype(jnp.int32)
    step = jnp.where(counted, jnp.minimum(step, steps - 1), steps).reshape(math.prod(clips), -1)
    votes = jnp.zeros((len(step), steps + 1), jnp.int32).at[jnp.arange(len(step))[:, None], step].add(1)
    votes = votes[:, :steps].reshape(*clips, steps)
    fullest = jnp.argmax(votes, axis=-1).astype(jnp.float32) / jnp.float32(steps) - jnp.float32(0.5)
    return jnp.where((votes > 0).any(-1), fullest, jnp.float32(0))


def _peaks(magnitude: jax.Array, step_hz: float, bins: slice, threshold: float) -> tuple[jax.Array, jax.Array]:
    """`spectral_peaks` of a slice of the bins, which are `step_hz` apart; the first and the last bin are not in it."""
    floor = jnp.float32(threshold) * magnitude.max(-1, keepdims=True)
    below, at, above = (magnitude[..., bins.start + side : bins.stop + side] for side in (-1, 0, 1))
    curvature, slope = above + below - 2 * at, (above - below) / 2
    inside = jnp.abs(slope) < jnp.abs(curvature)
    shift = jnp.where(inside, -slope / jnp.where(inside, curvature, jnp.float32(1)), jnp.float32(0))
    # A neighbour at or below the floor counts as 0, and so does the bin itself.
    is_peak = (at > floor) & ((at > below) | (below <= floor)) & ((at >= above) | (above <= floor))
    first = jnp.arange(bins.start, bins.stop, dtype=jnp.float32)
    pitch_hz = (with_rank(first, shift.ndim) + shift) * jnp.float32(step_hz)
    height = at + jnp.float32(0.5) * slope * shift
    return jnp.where(is_peak, pitch_hz, jnp.float32(0)), jnp.where(is_peak, height, jnp.float32(0))


def _bins_between(n_fft: int, sample_rate_hz: float, fmin_hz: float, fmax_hz: float) -> slice:
    """The bins in [fmin_hz, fmax_hz) that have two neighbours; none where the band lies beyond them."""
    n_bins = n_fft // 2 + 1
    if n_bins < 3 or not 0 <= fmin_hz < fmax_hz:
        raise ValueError(
            f"peaks need 3 bins or more and 0 <= fmin_hz < fmax_hz; got {n_bins} bins, {fmin_hz=}, {fmax_hz=}"
        )
    step_hz = sample_rate_hz / n_fft
    start, stop = (min(max(math.ceil(edge_hz / step_hz), 1), n_bins - 1) for edge_hz in (fmin_hz, fmax_hz))
    return slice(start, stop)
