"""Windows by name, as constants of a trace: NumPy float64."""

from collections.abc import Sequence

import jax
import numpy as np

# A window by name, by name and parameter (('kaiser', beta)), or as its weights.
Window = str | tuple[str, float] | Sequence[float] | np.ndarray | jax.Array

# sum_j (-1)^j a_j cos(2 pi j t), t in [0, 1): the windows of the cosine family.
_COSINE_SUMS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
    "boxcar": (1.0,),
    "ones": (1.0,),
}


def window(name: Window, n: int) -> np.ndarray:
    """The n weights of a window, periodic (`scipy.signal.get_window(name, n)`, fftbins=True).

    Args:
      name: 'hann', 'hamming', 'blackman', 'blackmanharris', 'nuttall', 'flattop', 'boxcar' ('ones'), 'bartlett',
        'cosine', ('kaiser', beta), ('gaussian', standard deviation in samples), or n weights.
      n: samples.

    Returns:
      float64 [n], NumPy: windows are constants of a trace.
    """
    if n < 1:
        raise ValueError(f"a window needs at least one sample; n={n}")
    kind, *parameters = (name,) if isinstance(name, str) else name
    if not isinstance(kind, str):
        weights = np.asarray(name, np.float64)
        if weights.shape != (n,):
            raise ValueError(f"window weights have shape {weights.shape} where window_samples={n} are needed")
        return weights
    phase = np.arange(n) / n
    if kind in _COSINE_SUMS and not parameters:
        weights = np.zeros(n)
        for order, weight in enumerate(_COSINE_SUMS[kind]):
            weights += (-1) ** order * weight * np.cos(2 * np.pi * order * phase)
    elif kind == "bartlett" and not parameters:
        weights = 1.0 - np.abs(2.0 * phase - 1.0)
    elif kind == "cosine" and not parameters:
        weights = np.sin(np.pi * (np.arange(n) + 0.5) / (n + 1))
    elif kind == "kaiser" and len(parameters) == 1:
        weights = np.kaiser(n + 1, parameters[0])[:n]
    elif kind == "gaussian" and len(parameters) == 1:
        weights = np.exp(-0.5 * ((np.arange(n) - n / 2) / parameters[0]) ** 2)
    else:
        raise ValueError(
            f"unknown window {name!r}: give one of {sorted([*_COSINE_SUMS, 'bartlett', 'cosine'])}, "
            "('kaiser', beta), ('gaussian', samples), or the weights themselves"
        )
    return weights if n > 1 else np.ones(1)


def centered_window(name: Window, window_samples: int, frame_samples: int) -> np.ndarray:
    """A window in the middle of a frame, zeros around it. float64 [W]."""
    left = (frame_samples - window_samples) // 2
    return np.pad(window(name, window_samples), (left, frame_samples - window_samples - left))
