"""Rhythm: onset strength, the tempogram and tempo, after librosa.

Shapes: any leading axes `...`, N samples, F frames, M mels, L lags.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import framing, medians, mel, spectral
from mu.audio.largest import largest


def onset_strength(
    x: jax.Array,
    sample_rate_hz: float,
    *,
    n_fft: int = 2048,
    hop_samples: int = 512,
    lag: int = 1,
    max_size: int = 1,
    aggregate: str = "mean",
    detrend: bool = False,
    center: bool = True,
    **options: Any,
) -> jax.Array:
    """Spectral flux: mean_m max(0, S[f, m] - max_{m' near m} S[f - lag, m']), S the log-mel spectrogram, 80 dB deep.

    Superflux (Boeck & Widmer, DAFx 2013) with max_size and lag above 1, else the plain flux of log-mel
    (`librosa.onset.onset_strength`).

    Args:
      x: float32 [..., N].
      lag: frames between what is compared.
      max_size: mels of the maximum over the earlier frame.
      aggregate: 'mean' over mels, or 'median' as librosa's beat tracker has it.
      detrend: takes out the slow trend: y[f] = e[f] - e[f-1] + 0.99 y[f-1].
      center: moves the envelope n_fft // (2 hop_samples) frames later, so that a rise, which a frame sees as soon as it
        reaches it, stands where the frame is centred on it.
      options: of `mel.mel_spectrogram`, all but its `center`: frames are centred, whatever the envelope is.

    Returns:
      float32 [..., F], F that of the mel spectrogram; zeros where there are no more frames than `lag`.
    """
    if lag < 1 or max_size < 1:
        raise ValueError(f"lag={lag} frames and max_size={max_size} mels must be at least 1")
    decibels = mel.log_mel(x, sample_rate_hz, n_fft=n_fft, hop_samples=hop_samples, top_db=80.0, **options)
    if aggregate not in ("mean", "median"):
        raise ValueError(f"aggregate={aggregate!r} is neither 'mean' nor 'median'")
    return _flux(decibels, lag, max_size, aggregate, detrend, lag + (n_fft // (2 * hop_samples) if center else 0))


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4, 5))
def _flux(decibels: jax.Array, lag: int, max_size: int, aggregate: str, detrend: bool, late: int) -> jax.Array:
    if decibels.shape[-2] <= lag:
        return jnp.zeros_like(decibels[..., 0])
    before = decibels[..., :-lag, :]
    if max_size > 1:
        reach = [(0, 0)] * (decibels.ndim - 1) + [(max_size // 2, (max_size - 1) // 2)]
        window = (1,) * (decibels.ndim - 1) + (max_size,)
        before = jax.lax.reduce_window(before, np.float32(-np.inf), jax.lax.max, window, (1,) * decibels.ndim, reach)
    rise = jnp.maximum(decibels[..., lag:, :] - before, jnp.float32(0))
    envelope = rise.mean(-1) if aggregate == "mean" else medians.median(rise)
    envelope = jnp.pad(envelope, [(0, 0)] * (envelope.ndim - 1) + [(late, 0)])
    return (_without_trend(envelope) if detrend else envelope)[..., : decibels.shape[-2]]


def tempogram(
    envelope: jax.Array,
    *,
    window_frames: int = 384,
    window: spectral.Window = "hann",
    center: bool = True,
    norm: float | None = math.inf,
) -> jax.Array:
    """Local autocorrelation of an onset strength: out[f, l] = sum_n y_f[n] y_f[n + l], y_f a windowed piece about f.

    `librosa.feature.tempogram`, transposed (Grosche, Mueller & Kurth, ICASSP 2010).

    Args:
      envelope: float32 [..., F].
      window_frames: L.
      center: pieces are centred on their frame, the envelope going on in a line to 0 at either end.
      norm: inf divides each frame by its largest magnitude, which is lag 0's; None does not.

    Returns:
      float32 [..., F, L]; frames F - L + 1 when not centred.
    """
    if norm not in (None, math.inf):
        raise ValueError(f"norm={norm} must be inf or None")
    weights = jnp.asarray(spectral.window(window, window_frames), jnp.float32)
    return _tempogram(checked(envelope), weights, center, norm)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _tempogram(envelope: jax.Array, weights: jax.Array, center: bool, norm: float | None) -> jax.Array:
    window_frames, frames = len(weights), envelope.shape[-1]
    if center:
        envelope = _ramped(envelope, window_frames // 2)
    pieces = spectral.frame(envelope, window_frames, 1)[..., :frames, :]
    pieces = pieces * framing.with_rank(weights, pieces.ndim)
    # Twice the length: the circular correlation of the transform is then the plain one.
    length = framing.fast_length(2 * window_frames - 1)
    spectrum = jnp.fft.rfft(pieces, n=length, axis=-1)
    energy = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    out = jnp.fft.irfft(energy, n=length, axis=-1)[..., :window_frames]
    if norm is None:
        return out
    peak = largest(jnp.abs(out))
    return out / jnp.where(peak < jnp.float32(framing.TINY), jnp.float32(1), peak)


def tempo_frequencies(n_lags: int, sample_rate_hz: float, *, hop_samples: int = 512) -> np.ndarray:
    """Beats per minute of each lag, 60 sample_rate_hz / (hop_samples lag); inf of lag 0. float64 [L], NumPy."""
    return np.append(np.inf, 60.0 * sample_rate_hz / (hop_samples * np.arange(1.0, n_lags)))


def tempo(
    envelope: jax.Array,
    sample_rate_hz: float,
    *,
    hop_samples: int = 512,
    start_bpm: float = 120.0,
    std_octaves: float = 1.0,
    window_s: float = 8.0,
    max_tempo_bpm: float | None = 320.0,
    per_frame: bool = False,
) -> jax.Array:
    """The lag where log(1 + 1e6 t[l]) + log prior(l) is largest, t the mean tempogram (`librosa.feature.tempo`).

    The prior is normal in log2 of the tempo, about `start_bpm`.

    Args:
      envelope: float32 [..., F], an onset strength at sample_rate_hz / hop_samples.
      std_octaves: the prior's standard deviation (librosa's std_bpm).
      window_s: of the tempogram; its longest lag is the slowest tempo.
      max_tempo_bpm: no faster tempo, None for any.
      per_frame: each frame's own tempo.

    Returns:
      float32 [...] or [..., F], beats per minute; of silence what the prior says. No gradient.
    """
    lags = tempo_lags(sample_rate_hz, hop_samples=hop_samples, window_s=window_s)
    bpm = tempo_frequencies(lags, sample_rate_hz, hop_samples=hop_samples)
    if start_bpm <= 0 or std_octaves <= 0:
        raise ValueError(f"start_bpm={start_bpm} and std_octaves={std_octaves} must be positive")
    prior = np.full(lags, -np.inf)
    prior[1:] = -0.5 * ((np.log2(bpm[1:]) - math.log2(start_bpm)) / std_octaves) ** 2
    if max_tempo_bpm is not None:
        if bpm[-1] >= max_tempo_bpm:
            raise ValueError(
                f"max_tempo_bpm={max_tempo_bpm} leaves no tempo: the slowest of window_s={window_s} is {bpm[-1]}"
            )
        prior[: np.argmax(bpm < max_tempo_bpm)] = -np.inf
    strength = tempogram(jax.lax.stop_gradient(envelope), window_frames=lags)
    if not per_frame:
        strength = strength.mean(-2)
    return _likeliest(strength, jnp.asarray(prior, jnp.float32), jnp.asarray(bpm, jnp.float32))


@jax.jit
def _likeliest(strength: jax.Array, prior: jax.Array, bpm: jax.Array) -> jax.Array:
    # Rounding leaves values just below 0, of which a million times is no small number.
    score = jnp.log1p(jnp.float32(1e6) * jnp.maximum(strength, jnp.float32(0)))
    score = score + framing.with_rank(prior, strength.ndim)
    return bpm[jnp.argmax(score, axis=-1)]


def tempo_lags(sample_rate_hz: float, *, hop_samples: int = 512, window_s: float = 8.0) -> int:
    """Frames of a tempogram window of `window_s`."""
    lags = int(window_s * sample_rate_hz) // hop_samples
    if lags < 2:
        raise ValueError(f"window_s={window_s} holds {lags} frames of hop_samples={hop_samples}; it needs at least 2")
    return lags


def checked(envelope: jax.Array) -> jax.Array:
    """envelope as an array; a TypeError where it is no onset strength."""
    envelope = framing.as_array(envelope)
    if envelope.dtype != jnp.float32 or envelope.ndim == 0 or envelope.shape[-1] == 0:
        raise TypeError(
            f"an onset strength is float32 [..., F], F > 0; got {envelope.dtype} {envelope.shape} (`onset_strength`)"
        )
    return envelope


def _ramped(envelope: jax.Array, width: int) -> jax.Array:
    """`width` more on either side, in a line from the end's value down to 0 (`numpy.pad`'s linear_ramp)."""
    rise = framing.with_rank(jnp.asarray(np.arange(width) / max(width, 1), jnp.float32), envelope.ndim)
    sides = envelope[..., :1] * rise, envelope[..., -1:] * rise[..., ::-1]
    return jnp.concatenate([sides[0], envelope, sides[1]], axis=-1)


def _without_trend(envelope: jax.Array) -> jax.Array:
    """y[f] = x[f] - x[f-1] + 0.99 y[f-1], from rest."""
    rise = jnp.diff(envelope, axis=-1, prepend=jnp.zeros_like(envelope[..., :1]))

    def join(a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return a[0] * b[0], a[1] * b[0] + b[1]

    return jax.lax.associative_scan(join, (jnp.full_like(rise, 0.99), rise), axis=-1)[1]
