"""Constant-Q and variable-Q transforms, recursive: octave by octave, on a signal halved in rate in between.

The transform is a correlation with windowed carriers, K of them, geometrically spaced:

  C[f, k] = s_k sum_n x[f hop + n] w_k(n) exp(-2 pi i f_k n / sample_rate_hz) / sum_n w_k(n)

with w_k a window of L_k = Q sample_rate_hz / (f_k + gamma / alpha) samples about 0, Q = filter_scale / alpha, alpha
the relative bandwidth of a bin, and s_k = sqrt(L_k) (Schoerkhuber & Klapuri 2010; Schoerkhuber et al. 2014 for gamma;
`librosa.vqt`). An octave lower the windows are twice as long and half the rate will do, so that at its own rate every
octave is one product of frames of some 180 samples (12 bins an octave) with 24 real filters. librosa multiplies
spectra, of which it drops the smallest 1 %; here the product is in time and whole.

Shapes: any leading axes `...`, N samples, F frames, K bins, T samples of an octave's frame, B bins of an octave.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.blocks import map_clips
from mu.audio.cqt_filters import C1_HZ, Design, Octave, cqt_frequencies, plan_octaves
from mu.audio.framing import check_positive, with_rank

__all__ = ["C1_HZ", "cqt", "cqt_frequencies", "vqt"]


def cqt(x: jax.Array, sample_rate_hz: float, **options: Any) -> jax.Array:
    """Constant-Q transform: `vqt` with gamma_hz = 0 (`librosa.cqt`, transposed). [..., N] -> complex64 [..., F, K]."""
    return vqt(x, sample_rate_hz, gamma_hz=0.0, **options)


def vqt(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    hop_samples: int = 512,
    fmin_hz: float = C1_HZ,
    n_bins: int = 84,
    bins_per_octave: int = 12,
    tuning: float | jax.Array = 0.0,
    gamma_hz: float | None = None,
    filter_scale: float = 1.0,
    window: str | tuple[str, float] = "hann",
    scale: bool = True,
    pad_mode: str = "constant",
) -> jax.Array:
    """Variable-Q transform (`librosa.vqt` with equal intervals, transposed).

    Args:
      x: float32 [..., N].
      hop_samples: between frames. Each factor of 2 allows one halving of the rate: an odd hop is right, and slow.
      fmin_hz: the lowest bin, C1.
      tuning: deviation from `fmin_hz` in bins. A Python or NumPy number makes the filters when traced; an array, of
        one tuning or one for each clip [...], makes them in the program, their lengths those of tuning 0 (Q is then off
        by up to half a bin: 1 % at 36 bins an octave).
      gamma_hz: added bandwidth, which shortens the filters of low bins; None for that of the ear's critical bands,
        alpha 24.7 / 0.108, and 0 for constant Q.
      filter_scale: below 1 shorter filters, better in time.
      window: see `spectral.window`.
      scale: s_k = sqrt(L_k), else L_k.
      pad_mode: what lies beyond the ends: 'constant' (zeros), 'edge', 'reflect' or 'symmetric'.

    Returns:
      complex64 [..., F, K], F = 1 + N // hop_samples; frame f is centred on sample f * hop_samples.
    """
    check_positive(hop_samples=hop_samples, n_bins=n_bins, bins_per_octave=bins_per_octave)
    fixed = isinstance(tuning, int | float | np.number)
    design = Design(
        float(sample_rate_hz),
        int(hop_samples),
        float(fmin_hz),
        int(n_bins),
        int(bins_per_octave),
        float(tuning) if fixed else 0.0,
        gamma_hz,
        float(filter_scale),
        window,
        scale,
    )
    x = spectral.waveform(x)
    if fixed:
        return _vqt(x, None, design, pad_mode)
    return _vqt(x, check_tuning(tuning, x), design, pad_mode)


def check_tuning(tuning: float | jax.Array, x: jax.Array) -> jax.Array:
    """tuning as float32, or an error where it is neither one number nor one for each clip of x [..., N]."""
    tunings = jnp.asarray(tuning, jnp.float32)
    if tunings.shape not in ((), x.shape[:-1]):
        raise ValueError(f"tuning has shape {tunings.shape}: give one number, or one for each clip of x {x.shape}")
    return tunings


@functools.partial(jax.jit, static_argnums=(2, 3))
def _vqt(x: jax.Array, tuning: jax.Array | None, design: Design, pad_mode: str) -> jax.Array:
    plan = plan_octaves(design)
    # How much faster the carriers turn than planned; a tuning that is known is in the plan.
    faster = None if tuning is None else jnp.exp2(tuning / jnp.float32(design.bins_per_octave)) - 1

    def transform(x: jax.Array) -> jax.Array:
        frames = 1 + x.shape[-1] // design.hop_samples
        # Padded once, at full rate, for the longest filter and the half-band filters' ringing: halved ends are exact.
        before = plan.padding
        x = spectral.pad_centered(x, 2 * before, pad_mode)
        parts, rate = [], 1
        for octave in plan.octaves:
            for halving in octave.halvings:
                x = _halve(x, halving)
                rate *= 2
            filters = _filters(octave, faster)
            samples, hop, start = filters.shape[-2], design.hop_samples // rate, before // rate - filters.shape[-2] // 2
            rows = spectral.frame(x[..., start : start + (frames - 1) * hop + samples], samples, hop)
            parts.append(jnp.matmul(rows, filters, precision=jax.lax.Precision.HIGHEST))
        both = [jnp.split(part, 2, axis=-1) for part in reversed(parts)]
        return jax.lax.complex(*(jnp.concatenate(side, axis=-1) for side in zip(*both, strict=True)))

    if faster is not None and faster.ndim:
        return transform(x)
    return map_clips(transform, x, core_axes=1, samples=x.shape[-1])


def _filters(octave: Octave, faster: jax.Array | None) -> jax.Array:
    """float32 [..., T, 2 B]: real parts, then imaginary parts of the octave's filters."""
    if faster is None:
        angle = -2 * np.pi * octave.cycles
        return jnp.asarray(
            np.concatenate([octave.weights * np.cos(angle), octave.weights * np.sin(angle)], 1), jnp.float32
        )
    # Whole cycles are dropped in float64, so that single precision is left with less than a few turns.
    planned, cycles, weights = (
        with_rank(jnp.asarray(array, jnp.float32), faster.ndim + 2)
        for array in (octave.cycles % 1.0, octave.cycles, octave.weights)
    )
    angle = jnp.float32(-2 * np.pi) * (planned + faster[..., None, None] * cycles)
    return jnp.concatenate([weights * jnp.cos(angle), weights * jnp.sin(angle)], axis=-1)


def _halve(x: jax.Array, half_band: np.ndarray) -> jax.Array:
    """Every second sample of x, low-passed; zeros beyond its ends. [..., N] -> [..., ceil(N / 2)]."""
    # Sums of shifted slices, which XLA fuses into one pass: 13 times the speed of its convolution of one channel.
    after = x.shape[-1] % 2
    pairs = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, after)]).reshape(*x.shape[:-1], -1, 2)
    half, reach = pairs.shape[-2], len(half_band)
    odd = jnp.pad(pairs[..., 1], [(0, 0)] * (x.ndim - 1) + [(reach, reach)])
    out = jnp.float32(0.5) * pairs[..., 0]
    for j, weight in enumerate(half_band):
        right, left = odd[..., reach + j :][..., :half], odd[..., reach - 1 - j :][..., :half]
        out = out + jnp.float32(weight) * (left + right)
    return out
