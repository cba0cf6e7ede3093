"""Short-time Fourier transform and its inverse, power and decibels: librosa's definitions and defaults, in JAX.

Shapes: any leading axes `...`, N samples, F frames, K = n_fft // 2 + 1 frequency bins. Waveforms are float32 (NumPy's
float64 is converted, here and wherever `mu.audio` takes a waveform, in streams too), spectra complex64, and time comes
before frequency: [..., F, K] (librosa has [..., K, F]).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.blocks import in_blocks, map_clips
from mu.audio.decibels import amplitude_to_db, db_to_power, floor_db, power_to_db
from mu.audio.framing import (
    TINY,
    as_array,
    check_positive,
    frame,
    overlap_add,
    pad_centered,
    pad_last,
    waveform,
    with_rank,
)
from mu.audio.windows import Window, centered_window, window

__all__ = [
    "TINY",
    "Frames",
    "Window",
    "amplitude_to_db",
    "as_array",
    "db_to_power",
    "floor_db",
    "frame",
    "frames",
    "from_spectra",
    "istft",
    "magnitude",
    "overlap_add",
    "pad_centered",
    "power",
    "power_to_db",
    "safe_sqrt",
    "stft",
    "waveform",
    "window",
]


class Frames(NamedTuple):
    """`stft`'s options, checked and with their defaults; hashable, hence static under jit."""

    n_fft: int
    hop_samples: int
    window_samples: int
    window: str | tuple[str | float, ...]
    center: bool
    pad_mode: str

    @property
    def weights(self) -> np.ndarray:
        """The window within a frame, float64 [n_fft]."""
        return centered_window(cast(Window, self.window), self.window_samples, self.n_fft)


def frames(
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> Frames:
    """Checks and completes the options of `stft`, which says what they mean."""
    window_samples = n_fft if window_samples is None else window_samples
    check_positive(n_fft=n_fft, window_samples=window_samples)
    hop_samples = max(window_samples // 4, 1) if hop_samples is None else hop_samples
    check_positive(hop_samples=hop_samples)
    if window_samples > n_fft:
        raise ValueError(f"window_samples={window_samples} does not fit in n_fft={n_fft}")
    return Frames(int(n_fft), int(hop_samples), int(window_samples), _hashable(window), center, pad_mode)


def _hashable(window: Window) -> str | tuple[str | float, ...]:
    if isinstance(window, str):
        return window
    if isinstance(window[0], str):
        return tuple(window)
    weights = np.asarray(window, np.float64)
    if weights.ndim != 1:
        raise ValueError(f"window weights have shape {weights.shape}: give one axis")
    return tuple(weights.tolist())


def stft(
    x: jax.Array,
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    window: Window = "hann",
    center: bool = True,
    pad_mode: str = "constant",
) -> jax.Array:
    """out[..., f, k] = sum_n w[n] x[..., f hop + n] exp(-2 pi i k n / n_fft) (`librosa.stft`, transposed).

    Args:
      x: float32 [..., N].
      n_fft: samples of a frame.
      hop_samples: between frames; default window_samples // 4.
      window_samples: length of the window, centred in the frame; default n_fft.
      window: a name or weights, see `windows.window`.
      center: frame f is centred on sample f * hop (x is padded by n_fft // 2 on either side), else starts there.
      pad_mode: 'constant' (zeros), 'edge', 'reflect' or 'symmetric'.

    Returns:
      complex64 [..., F, K]; F = 1 + N // hop when centred (n_fft even), else 1 + (N - n_fft) // hop.
    """
    options = frames(
        n_fft=n_fft,
        hop_samples=hop_samples,
        window_samples=window_samples,
        window=window,
        center=center,
        pad_mode=pad_mode,
    )
    return _stft(waveform(x), options)


def from_spectra(function: Callable[[jax.Array], jax.Array], x: jax.Array, options: Frames) -> jax.Array:
    """function(stft(x)) for functions of single frames; on a CPU a block of the spectrum at a time (`mu.audio.blocks`).

    Args:
      function: complex64 [..., F, K] -> [..., F, D], any leading axes.
    """
    weights = jnp.asarray(options.weights, jnp.float32)

    def features(x: jax.Array) -> jax.Array:
        cut = frame(x, options.n_fft, options.hop_samples)
        return function(jnp.fft.rfft(cut * with_rank(weights, cut.ndim), axis=-1))

    def pad(x: jax.Array) -> jax.Array:
        return pad_centered(x, options.n_fft, options.pad_mode) if options.center else x

    return in_blocks(features, x, frame_samples=options.n_fft, hop_samples=options.hop_samples, pad=pad)


@functools.partial(jax.jit, static_argnums=1)
def _stft(x: jax.Array, options: Frames) -> jax.Array:
    return from_spectra(lambda spectrum: spectrum, x, options)


def istft(
    spectrum: jax.Array,
    *,
    n_fft: int | None = None,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    window: Window = "hann",
    center: bool = True,
    length_samples: int | None = None,
) -> jax.Array:
    """Least-squares inverse of `stft`: windowed inverse transforms overlapped, added and divided by sum of w^2.

    x[n] = sum_f w[n - f hop] y_f[n - f hop] / sum_f w[n - f hop]^2 (Griffin & Lim 1984; `librosa.istft`). Exact
    wherever the windows cover the signal; where none does (the divisor is 0) the output is 0.

    Args:
      spectrum: complex64 [..., F, K].
      n_fft: samples of a frame, 2 (K - 1) unless it was odd.
      length_samples: cut or zero-padded to this; default all of (F - 1) hop + n_fft, less n_fft // 2 on both sides when
        `center`.

    Returns:
      float32 [..., N].
    """
    spectrum = jnp.asarray(spectrum)
    if spectrum.dtype != jnp.complex64 or spectrum.ndim < 2 or 0 in spectrum.shape[-2:]:
        raise TypeError(f"spectrum must be complex64 [..., F, K], F and K > 0; got {spectrum.dtype} {spectrum.shape}")
    bins = spectrum.shape[-1]
    n_fft = 2 * (bins - 1) if n_fft is None else n_fft
    options = frames(n_fft=n_fft, hop_samples=hop_samples, window_samples=window_samples, window=window, center=center)
    if n_fft // 2 + 1 != bins:
        raise ValueError(f"n_fft={n_fft} has {n_fft // 2 + 1} bins, the spectrum has {bins} (shape {spectrum.shape})")
    return _istft(spectrum, options, length_samples)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _istft(spectrum: jax.Array, options: Frames, length_samples: int | None) -> jax.Array:
    count, hop, n_fft, weights = spectrum.shape[-2], options.hop_samples, options.n_fft, options.weights
    # Sum of the squared windows over each sample. In rows of hop samples, row r holds the pieces p of frame r - p.
    pieces = -(-n_fft // hop)
    squares = jnp.asarray(np.pad(weights**2, (0, pieces * hop - n_fft)).reshape(pieces, hop), jnp.float32)
    frame_of = jnp.arange(count + pieces - 1)[:, None] - jnp.arange(pieces)[None]
    inside = ((frame_of >= 0) & (frame_of < count)).astype(jnp.float32)
    cover = jnp.matmul(inside, squares, precision=jax.lax.Precision.HIGHEST).reshape(-1)
    cover = cover[: (count - 1) * hop + n_fft]
    gain = 1.0 / jnp.where(cover > TINY, cover, jnp.ones_like(cover))

    start = n_fft // 2 if options.center else 0
    length = len(gain) - 2 * start if length_samples is None else length_samples

    def invert(spectrum: jax.Array) -> jax.Array:
        parts = jnp.fft.irfft(spectrum, n=n_fft, axis=-1)
        x = overlap_add(parts * with_rank(jnp.asarray(weights, jnp.float32), parts.ndim), hop)
        x = (x * with_rank(gain, x.ndim))[..., start : start + length]
        return pad_last(x, 0, length - x.shape[-1])

    return map_clips(invert, spectrum, core_axes=2, samples=count * n_fft)


def power(spectrum: jax.Array) -> jax.Array:
    """|z|^2 of a complex spectrum, without the square root of a magnitude. complex64 [...] -> float32 [...]."""
    spectrum = jnp.asarray(spectrum)
    return jnp.square(spectrum.real) + jnp.square(spectrum.imag)


def magnitude(spectrum: jax.Array) -> jax.Array:
    """|z|, with gradient 0 where z = 0. complex64 [...] -> float32 [...]."""
    return safe_sqrt(power(spectrum))


def safe_sqrt(x: jax.Array) -> jax.Array:
    """sqrt(x) of x >= 0 whose gradient at 0 is 0, not infinite."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, jnp.ones_like(x))), jnp.zeros_like(x))
