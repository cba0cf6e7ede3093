"""Augmentations by linear filters, applied as products of spectra: equaliser, band limit, reverberation.

Conventions of `mu.audio.augment`: each example draws its own filter. Shapes: B examples, N samples, R impulse responses
of L samples.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.augment import Range, between, each, energy, from_db, uniform
from mu.audio.framing import fast_length, with_rank

# Silence appended before a filter without phase is applied, so that its response (a few periods of the lowest
# frequency it changes) does not come round from the end of the clip to its beginning.
_PADDING_S = 0.1
# A raised-cosine edge of this width: steep, yet its ringing stays within some 10 ms.
_EDGE_HZ = 200.0


def equalize(
    key: jax.Array,
    x: jax.Array,
    sample_rate_hz: float,
    *,
    bands: int = 3,
    gain_db: Range = (-9.0, 9.0),
    center_hz: Range = (60.0, 7000.0),
    width_octaves: Range = (0.5, 2.0),
    p: float = 1.0,
) -> jax.Array:
    """A random equaliser: `bands` bells whose decibels add, without phase shift.

    gain(f) = sum_i g_i 2^(-(2 log2(f / c_i) / w_i)^2) dB: a bell is down to half its decibels w_i / 2 octaves from its
    centre. g_i is uniform, c_i and w_i are log-uniform.

    Args:
      x: float32 [B, ..., N].

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        gain, center, width = uniform(key, (3, bands))
        gains_db = between(gain, gain_db, "gain_db")
        centers_hz = between(center, center_hz, "center_hz", logarithmic=True)
        widths = between(width, width_octaves, "width_octaves", logarithmic=True)

        def response(octave: jax.Array) -> jax.Array:
            away = 2 * (octave[:, None] - jnp.log2(centers_hz)[None]) / widths[None]
            bells = jnp.exp2(-jnp.square(away))
            return from_db(jnp.matmul(bells, gains_db, precision=jax.lax.Precision.HIGHEST) / 2)

        return _filter(x, sample_rate_hz, lambda hz: response(jnp.asarray(np.log2(np.maximum(hz, 1.0)), jnp.float32)))

    return each(one, key, x, p)


def band_limit(
    key: jax.Array,
    x: jax.Array,
    sample_rate_hz: float,
    *,
    low_pass_hz: Range = (3400.0, 16000.0),
    high_pass_hz: Range | None = None,
    p: float = 1.0,
) -> jax.Array:
    """A random band limit, with the steep edges of MP3 encoders and telephones: nothing lies above the cut-off.

    The cut-off is log-uniform: 3.4 kHz is a telephone, 7 wideband speech, 11 and 16 MP3 at 64 and 128 kbit/s. At half
    the sample rate or above nothing is lost. The edge is 200 Hz wide, half of the amplitude at the cut-off.

    Args:
      x: float32 [B, ..., N].
      high_pass_hz: a lower cut-off likewise (300 Hz for a telephone), None for none.

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        upper, lower = uniform(key, (2,))
        upper_hz = between(upper, low_pass_hz, "low_pass_hz", logarithmic=True)

        def response(hz: np.ndarray) -> jax.Array:
            frequency = jnp.asarray(hz, jnp.float32)
            kept = jnp.where(upper_hz >= sample_rate_hz / 2, 1.0, _edge(upper_hz - frequency))
            if high_pass_hz is None:
                return kept
            return kept * _edge(frequency - between(lower, high_pass_hz, "high_pass_hz", logarithmic=True))

        return _filter(x, sample_rate_hz, response)

    return each(one, key, x, p)


def reverb(key: jax.Array, x: jax.Array, responses: jax.Array, *, p: float = 1.0) -> jax.Array:
    """x convolved with one of the impulse responses, drawn uniformly; the energy is kept.

    The tail beyond the clip is cut; then the whole is scaled to the energy that the example had.

    Args:
      x: float32 [B, ..., N].
      responses: float32 [R, L], at the sample rate of x: `decaying_responses`, or measured ones, `align_responses` of
        which keeps onsets where they are. Give them to the compiled function as an argument.

    Returns:
      float32, the shape of x.
    """
    responses = jnp.asarray(responses)
    if responses.ndim != 2 or responses.dtype != jnp.float32 or 0 in responses.shape:
        raise ValueError(f"responses are float32 [R, L]; got {responses.dtype} {responses.shape}")
    n = fast_length(x.shape[-1] + responses.shape[-1])

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        room = (uniform(key) * len(responses)).astype(jnp.int32)
        y = jnp.fft.irfft(jnp.fft.rfft(x, n) * with_rank(jnp.fft.rfft(responses[room], n), x.ndim), n)[
            ..., : x.shape[-1]
        ]
        filtered = energy(y)
        return y * spectral.safe_sqrt(energy(x) / jnp.where(filtered > 0, filtered, jnp.ones_like(filtered)))

    return each(one, key, x, p)


def align_responses(responses: np.ndarray) -> np.ndarray:
    """Measured impulse responses from their strongest sample on, the direct sound: zeros follow. [R, L] -> [R, L]."""
    responses = np.asarray(responses, np.float32)
    aligned = np.zeros_like(responses)
    for row, start in enumerate(np.abs(responses).argmax(axis=-1)):
        aligned[row, : responses.shape[-1] - start] = responses[row, start:]
    return aligned


def decaying_responses(
    key: jax.Array,
    count: int,
    sample_rate_hz: float,
    *,
    duration_s: float = 0.5,
    t60_s: Range = (0.2, 0.8),
    direct_db: Range = (-3.0, 12.0),
) -> jax.Array:
    """Synthetic room impulse responses: an impulse, then noise that decays by 60 dB in T60 (Polack 1988).

    Args:
      count: R; make some dozens once, before training.
      duration_s: of a response. What lies beyond is cut: choose at least half the longest T60.
      t60_s: log-uniform.
      direct_db: energy of the impulse over that of the noise, uniform.

    Returns:
      float32 [R, L], the impulse at sample 0 and 1 in height.
    """
    samples = round(duration_s * sample_rate_hz)
    if count < 1 or samples < 2:
        raise ValueError(f"count={count} must be at least 1 and duration_s={duration_s} hold two samples or more")
    time_s = jnp.asarray(np.arange(samples - 1) / sample_rate_hz, jnp.float32)

    def one(row: jax.Array) -> jax.Array:
        values, draw = jax.random.split(jax.random.fold_in(key, row))
        length, level = uniform(values, (2,))
        t60 = between(length, t60_s, "t60_s", logarithmic=True)
        tail = jax.random.normal(draw, time_s.shape, jnp.float32) * from_db(-30.0 * time_s / t60)
        scale = spectral.safe_sqrt(from_db(-between(level, direct_db, "direct_db")) / energy(tail))
        return jnp.concatenate([jnp.ones(1, jnp.float32), tail * scale])

    return jax.vmap(one)(jnp.arange(count, dtype=jnp.uint32))


def _filter(x: jax.Array, sample_rate_hz: float, response: Callable[[np.ndarray], jax.Array]) -> jax.Array:
    """x with its spectrum multiplied by a real response(frequencies in Hz): a filter without phase shift."""
    n = fast_length(x.shape[-1] + round(_PADDING_S * sample_rate_hz))
    weights = response(np.fft.rfftfreq(n, 1 / sample_rate_hz)).astype(jnp.complex64)
    return jnp.fft.irfft(jnp.fft.rfft(x, n) * with_rank(weights, x.ndim), n)[..., : x.shape[-1]]


def _edge(inside_hz: jax.Array) -> jax.Array:
    """0 outside, 1 inside, half a cosine in between; `inside_hz` is the way past the cut-off."""
    way = jnp.clip(inside_hz / _EDGE_HZ + 0.5, 0.0, 1.0)
    return 0.5 - 0.5 * jnp.cos(jnp.pi * way)
