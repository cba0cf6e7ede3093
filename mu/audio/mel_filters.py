"""The mel scale and filters on it: librosa's definitions and defaults, in NumPy, as they are constants of a trace.

Shapes: K = n_fft // 2 + 1 frequency bins, M mels.
"""

import functools
import math
import warnings

import numpy as np

SCALES = ("slaney", "htk")
# Slaney's scale (Auditory Toolbox, 1998): 3 mels a 200 Hz up to 1 kHz, then 27 mels a factor of 6.4.
_LINEAR_HZ, _BREAK_HZ = 200.0 / 3.0, 1000.0
_LOG_STEP = math.log(6.4) / 27.0


def hz_to_mel(hz: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """Frequencies on the mel scale, NumPy float64: 'slaney' (linear below 1 kHz) or 'htk', 2595 log10(1 + hz / 700)."""
    hz = np.asarray(hz, np.float64)
    if _check_scale(scale) == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    logarithmic = _BREAK_HZ / _LINEAR_HZ + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, logarithmic)


def mel_to_hz(mel: np.ndarray | float, scale: str = "slaney") -> np.ndarray:
    """The inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if _check_scale(scale) == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    beyond = np.maximum(mel - _BREAK_HZ / _LINEAR_HZ, 0.0)
    return np.where(beyond > 0, _BREAK_HZ * np.exp(_LOG_STEP * beyond), mel * _LINEAR_HZ)


@functools.lru_cache(maxsize=64)
def mel_filters(
    sample_rate_hz: float,
    *,
    n_fft: int = 2048,
    n_mels: int = 128,
    fmin_hz: float = 0.0,
    fmax_hz: float | None = None,
    scale: str = "slaney",
    norm: str | float | None = "slaney",
) -> np.ndarray:
    """Triangular filters, their corners evenly spaced in mel (`librosa.filters.mel`, transposed).

    Args:
      fmin_hz: first corner.
      fmax_hz: last corner; None is sample_rate_hz / 2.
      scale: 'slaney' or 'htk', see `hz_to_mel`.
      norm: 'slaney' divides by half the width in Hz (equal area), a number p by the p-norm of the weights (inf: peak
        1), None leaves triangles of height 1.

    Returns:
      float32 [K, M], NumPy and read-only. Warns of filters so narrow that no bin falls in.
    """
    fmax_hz = sample_rate_hz / 2 if fmax_hz is None else fmax_hz
    if n_mels < 1 or n_fft < 2:
        raise ValueError(f"n_mels={n_mels} must be at least 1 and n_fft={n_fft} at least 2")
    if not 0 <= fmin_hz < fmax_hz:
        raise ValueError(f"fmin_hz={fmin_hz} must lie in [0, fmax_hz={fmax_hz})")
    corners = mel_to_hz(np.linspace(hz_to_mel(fmin_hz, scale), hz_to_mel(fmax_hz, scale), n_mels + 2), scale)
    bins = np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft)
    rising = (bins[:, None] - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins[:, None]) / np.diff(corners)[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    empty = int(np.sum(weights.max(0) == 0))
    if empty:
        warnings.warn(
            f"{empty} of n_mels={n_mels} mel filters hold no bin of n_fft={n_fft} at {sample_rate_hz} Hz and "
            "stay silent: use fewer mels or a larger n_fft",
            stacklevel=2,
        )
    if norm == "slaney":
        weights = weights * (2.0 / (corners[2:] - corners[:-2]))
    elif isinstance(norm, str):
        raise ValueError(f"norm={norm!r}: give 'slaney', None, or a number p for the p-norm")
    elif norm is not None:
        if norm <= 0:
            raise ValueError(f"norm={norm} must be positive")
        size = np.linalg.norm(weights, ord=norm, axis=0)
        weights = weights / np.where(size > 0, size, 1.0)
    weights = weights.astype(np.float32)
    weights.flags.writeable = False  # shared by all callers of the cache
    return weights


def _check_scale(scale: str) -> str:
    if scale not in SCALES:
        raise ValueError(f"scale={scale!r} is not one of {SCALES}")
    return scale
