"""Tempo without pitch and pitch without tempo: the phase vocoder."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import framing, spectral
from mu.audio.interpolation import change_speed, output_length


def time_stretch(
    x: jax.Array,
    rate: float | jax.Array,
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    length_samples: int | None = None,
) -> jax.Array:
    """x played `rate` times as fast at the same pitch (`librosa.effects.time_stretch`; Flanagan & Golden 1966).

    Frame t of the result stands between frames i and i + 1 of x, i = floor(t rate): its magnitude is interpolated
    between theirs, and its phase is that of frame t - 1 advanced by what the phase of x advanced between those two.
    Transients smear, as with every plain phase vocoder, the more the further the rate is from 1.

    One scan over frames transforms, turns and overlaps: spectra are never held together, so that the working set stays
    in cache and memory does not grow with n_fft. Phases are products of unit numbers, not sums of angles: no
    arctangents, and no float32 sum that loses precision along the clip.

    Args:
      x: float32 [..., N].
      rate: > 0, of all of x; a float32 scalar inside jit (`jax.vmap` for one each).
      n_fft: samples of a frame: long ones keep chords, short ones attacks.
      hop_samples: default n_fft // 4.
      length_samples: of the result, cut or padded with silence; default round(N / rate), which needs a rate that is a
        number.

    Returns:
      float32 [..., length_samples]. Differentiable in x.
    """
    x = spectral.waveform(x)
    hop = n_fft // 4 if hop_samples is None else hop_samples
    if n_fft < 4 or n_fft % 2 or not 1 <= hop <= n_fft // 2:
        raise ValueError(f"n_fft={n_fft} must be even, from 4, and hop_samples={hop} lie in 1..n_fft // 2")
    length = output_length(x.shape[-1], rate, length_samples)
    window = spectral.window("hann", n_fft)
    weights = jnp.asarray(window, jnp.float32)

    # Frames are centred. Behind x there is silence for two frames, the last place that is read.
    silent = 1 + (x.shape[-1] + n_fft // 2 - 1) // hop
    before, after = n_fft // 2, silent * hop + hop + n_fft // 2 - x.shape[-1]
    padded = framing.pad_last(x, before, after)
    weights = framing.with_rank(weights, x.ndim)
    count = 1 + (length + n_fft // 2 - 1) // hop
    if isinstance(rate, int | float | np.number):
        at = np.arange(count) * float(rate)
        first = np.minimum(np.floor(at), silent)
        between = jnp.asarray(at - np.floor(at), jnp.float32)
    else:
        at = jnp.arange(count, dtype=jnp.float32) * jnp.asarray(rate, jnp.float32)
        first = jnp.minimum(jnp.floor(at), silent)
        between = at - jnp.floor(at)

    def step(
        carry: tuple[jax.Array, jax.Array], now: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        phase, overlap = carry
        start, share = now
        piece = jax.lax.dynamic_slice_in_dim(padded, start, n_fft + hop, axis=-1)
        spectra = jnp.fft.rfft(jnp.stack([piece[..., :n_fft] * weights, piece[..., hop:] * weights]))
        (size, next_size), (turn, next_turn) = _polar(spectra)
        magnitude = (1 - share) * size + share * next_size
        sound = jnp.fft.irfft(magnitude.astype(jnp.complex64) * phase, n_fft) * weights
        overlap = overlap + sound
        done = overlap[..., :hop]
        overlap = jnp.concatenate([overlap[..., hop:], jnp.zeros_like(done)], axis=-1)
        return (phase * next_turn * turn.conj(), overlap), done

    start = padded[..., :n_fft] * weights
    _, phase = _polar(jnp.fft.rfft(start))
    starts = jnp.asarray(first, jnp.int32) * hop
    _, parts = jax.lax.scan(step, (phase, jnp.zeros_like(start)), (starts, between))
    y = jnp.moveaxis(parts, 0, -2).reshape(*x.shape[:-1], count * hop)

    # What the squared windows of the frames so far sum to: it grows over the first frames, then repeats.
    rows = np.pad(window**2, (0, -n_fft % hop)).reshape(-1, hop).cumsum(axis=0)
    cover = rows[np.minimum(np.arange(count), len(rows) - 1)].reshape(-1)
    cover = jnp.asarray(cover[before : before + length], jnp.float32)
    return y[..., before : before + length] / framing.with_rank(cover, y.ndim)


def pitch_shift(
    x: jax.Array,
    semitones: float | jax.Array,
    *,
    n_fft: int = 2048,
    hop_samples: int | None = None,
    max_semitones: float | None = None,
    zero_crossings: int = 8,
) -> jax.Array:
    """x transposed at the same tempo: stretched by 2^(semitones / 12), then read so much faster.

    `librosa.effects.pitch_shift` resamples with a longer filter. Away from the ends of the clip the two are within 3e-4
    of the peak for sounds below an eighth of the sample rate, and within 1e-3 below a quarter; white noise differs by
    15 %, nearly all of it close to half the sample rate.

    Args:
      x: float32 [..., N].
      semitones: of all of x; a float32 scalar inside jit (`jax.vmap` for one each).
      n_fft: see `time_stretch`.
      hop_samples: see `time_stretch`.
      max_semitones: where `semitones` is known only inside jit, the most that it can be: it sizes the stretched signal.
      zero_crossings: see `change_speed`.

    Returns:
      float32 [..., N]. Differentiable in x.
    """
    x = spectral.waveform(x)
    if isinstance(semitones, int | float | np.number):
        ratio, most = 2.0 ** (semitones / 12), semitones
    elif max_semitones is None:
        raise ValueError("semitones is an array: say max_semitones, which sizes the stretched signal")
    else:
        ratio, most = jnp.exp2(jnp.asarray(semitones, jnp.float32) / 12), max_semitones
    samples = x.shape[-1]
    longest = math.ceil(samples * 2.0 ** (most / 12)) + zero_crossings + 1
    stretched = time_stretch(x, 1 / ratio, n_fft=n_fft, hop_samples=hop_samples, length_samples=longest)
    return change_speed(stretched, ratio, length_samples=samples, zero_crossings=zero_crossings)


def _polar(spectrum: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Magnitude and unit phase; the phase of 0 is 1, its gradient 0.

    Parts below 1e-19 have squares that flush to 0, so that a spectrum near there, divided by its magnitude, is no unit
    number; `time_stretch` multiplies all phases of a clip, and one of them would change the level of all that follows.
    """
    size = spectral.magnitude(spectrum)
    silent = size < jnp.float32(1e-15)
    divisor = jnp.where(silent, jnp.float32(1), size).astype(jnp.complex64)
    return size, jnp.where(silent, jnp.complex64(1), spectrum / divisor)
