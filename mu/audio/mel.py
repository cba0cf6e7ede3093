"""Mel spectrogram, log-mel and MFCC: librosa's definitions and defaults, in JAX.

Shapes: any leading axes `...`, N samples, F frames, K = n_fft // 2 + 1 frequency bins, M mels, C coefficients; time
before frequency.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.mel_filters import hz_to_mel, mel_filters, mel_to_hz
from mu.audio.pcen import pcen, pcen_chunk

__all__ = [
    "hz_to_mel",
    "log_mel",
    "mel_filters",
    "mel_spectrogram",
    "mel_to_hz",
    "mfcc",
    "pcen",
    "pcen_chunk",
]

# Filters multiplied together with the bins that any of them weighs.
_FILTERS_TOGETHER = 64


class Filters(NamedTuple):
    """Arguments of `mel_filters`: hashable, hence static under jit."""

    sample_rate_hz: float
    n_fft: int
    n_mels: int
    fmin_hz: float
    fmax_hz: float | None
    scale: str
    norm: str | float | None


def mel_spectrogram(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    window: spectral.Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin_hz: float = 0.0,
    fmax_hz: float | None = None,
    scale: str = "slaney",
    norm: str | float | None = "slaney",
) -> jax.Array:
    """Mel-weighted sums of |STFT|^power (`librosa.feature.melspectrogram`, transposed).

    Args:
      x: float32 [..., N].
      n_fft: see `spectral.stft`.
      hop_samples: see `spectral.stft`: by default a quarter of the window; librosa's is 512 whatever n_fft.
      window_samples: see `spectral.stft`.
      window: see `spectral.stft`.
      center: see `spectral.stft`.
      pad_mode: see `spectral.stft`.
      power: 2.0 for power, 1.0 for magnitudes.
      n_mels: see `mel_filters`.
      fmin_hz: see `mel_filters`.
      fmax_hz: see `mel_filters`.
      scale: see `mel_filters`.
      norm: see `mel_filters`.

    Returns:
      float32 [..., F, M].
    """
    return _mel(
        spectral.waveform(x),
        spectral.frames(
            n_fft=n_fft,
            hop_samples=hop_samples,
            window_samples=window_samples,
            window=window,
            center=center,
            pad_mode=pad_mode,
        ),
        Filters(sample_rate_hz, n_fft, n_mels, fmin_hz, fmax_hz, scale, norm),
        power,
        None,
    )


def log_mel(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    window: spectral.Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
    power: float = 2.0,
    n_mels: int = 128,
    fmin_hz: float = 0.0,
    fmax_hz: float | None = None,
    scale: str = "slaney",
    norm: str | float | None = "slaney",
    amin: float = 1e-10,
    top_db: float | None = None,
) -> jax.Array:
    """10 log10(max(mel, amin)) of `mel_spectrogram` (its options), in dB. float32 [..., N] -> [..., F, M].

    Args:
      amin: the least energy told apart.
      top_db: floor below the loudest of each clip; None for none, so that one loud moment does not hide the rest.
    """
    db = _mel(
        spectral.waveform(x),
        spectral.frames(
            n_fft=n_fft,
            hop_samples=hop_samples,
            window_samples=window_samples,
            window=window,
            center=center,
            pad_mode=pad_mode,
        ),
        Filters(sample_rate_hz, n_fft, n_mels, fmin_hz, fmax_hz, scale, norm),
        power,
        amin,
    )
    return spectral.floor_db(db, top_db)


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _mel(x: jax.Array, frames: spectral.Frames, filters: Filters, power: float, amin: float | None) -> jax.Array:
    """The mel spectrogram, in dB where `amin` is given: within one block of the spectrum (see `from_spectra`)."""
    if power <= 0:
        raise ValueError(f"power={power} must be positive")
    weights = mel_filters(**filters._asdict())
    # A filter weighs few bins. Two products of 64 filters with their bins are half the work of one product of 128 with
    # all; smaller ones are less work still, but no faster.
    bands = []
    for part in np.array_split(weights, -(-filters.n_mels // _FILTERS_TOGETHER), axis=1):
        weighed = np.flatnonzero(part.any(1))
        first, end = (weighed[0], weighed[-1] + 1) if len(weighed) else (0, 1)
        bands.append((int(first), int(end), jnp.asarray(part[first:end])))

    def to_mel(spectrum: jax.Array) -> jax.Array:
        parts = []
        for first, end, part in bands:
            energy = spectral.power(spectrum[..., first:end])
            if power != 2:
                magnitude = spectral.safe_sqrt(energy)
                energy = magnitude if power == 1 else magnitude ** jnp.float32(power)
            parts.append(jnp.matmul(energy, part, precision=jax.lax.Precision.HIGHEST))
        mel = jnp.concatenate(parts, axis=-1)
        return mel if amin is None else spectral.power_to_db(mel, amin=amin, top_db=None)

    return spectral.from_spectra(to_mel, x, frames)


def mfcc(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    n_mfcc: int = 20,
    lifter: float = 0.0,
    top_db: float | None = 80.0,
    **options: Any,
) -> jax.Array:
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of `log_mel` (`librosa.feature.mfcc`, transposed).

    Args:
      x: float32 [..., N].
      n_mfcc: C, at most n_mels.
      lifter: L > 0 scales coefficient c by 1 + L / 2 sin(pi (c + 1) / L); 0 for none.
      top_db: 80 as in librosa, but below the loudest of each clip.
      options: of `log_mel`.

    Returns:
      float32 [..., F, C].
    """
    db = log_mel(x, sample_rate_hz, top_db=top_db, **options)
    n_mels = db.shape[-1]
    if not 1 <= n_mfcc <= n_mels:
        raise ValueError(f"n_mfcc={n_mfcc} must lie in 1..n_mels={n_mels}")
    if lifter < 0:
        raise ValueError(f"lifter={lifter} must not be negative")
    order, at = np.arange(n_mfcc), np.arange(n_mels)
    basis = np.sqrt(2.0 / n_mels) * np.cos(np.pi * (at[:, None] + 0.5) * order / n_mels)
    basis[:, 0] /= math.sqrt(2.0)
    if lifter > 0:
        basis *= 1.0 + lifter / 2.0 * np.sin(np.pi * (order + 1) / lifter)
    return jnp.matmul(db, jnp.asarray(basis, jnp.float32), precision=jax.lax.Precision.HIGHEST)
