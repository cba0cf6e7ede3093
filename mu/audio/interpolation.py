"""Waveforms read at another speed, any real one, also one known only inside jit: windowed-sinc interpolation."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import framing, spectral

# Of the output, computed at a time.
BLOCK_SAMPLES = 16384


def change_speed(
    x: jax.Array, rate: float | jax.Array, *, length_samples: int | None = None, zero_crossings: int = 8
) -> jax.Array:
    """y[n] = x(n rate): tempo and pitch change together, as on a turntable.

    x between its samples is sum_k x[k] h(t - k), h a Hann-windowed sinc over `zero_crossings` samples on either side,
    which cuts above half of the lower of the two sample rates; the weights of a sample sum to 1. Positions are exact
    whatever the length: they are counted in 2^-32 of a sample, not in float32.

    Args:
      x: float32 [..., N]; before and after it is silence.
      rate: > 0, of all of x, or float32 [...], one each; inside jit it may be traced.
      length_samples: of y; default round(N / rate), which needs a rate that is a number.
      zero_crossings: half the samples that enter one of y. 1 is little more than linear and four times faster.

    Returns:
      float32 [..., length_samples]. Differentiable in x.
    """
    x = spectral.waveform(x)
    length = output_length(x.shape[-1], rate, length_samples)
    if zero_crossings < 1:
        raise ValueError(f"zero_crossings={zero_crossings} must be at least 1")
    rate = jnp.asarray(rate, jnp.float32)
    if rate.shape not in ((), x.shape[:-1]):
        raise ValueError(f"rate has shape {rate.shape}; it is a number or has one for each of {x.shape[:-1]}")
    cutoff = jnp.minimum(1.0, 1.0 / rate[..., None])
    padded = framing.pad_last(x, zero_crossings, zero_crossings + 1)
    last = x.shape[-1] + zero_crossings
    # All rows as one, so that a gather has one index a sample: XLA makes arrays of index pairs otherwise, 17 of them.
    row = 0
    if rate.ndim:
        row = jnp.arange(rate.size, dtype=jnp.int32).reshape(*rate.shape, 1) * padded.shape[-1]
        padded = padded.reshape(-1)
    turn = math.pi / (zero_crossings + 0.5)

    def read(n: jax.Array) -> jax.Array:
        # The nearest sample is tap 0, so that only there the sinc's denominator comes near zero.
        nearest, away = _positions(rate[..., None], framing.with_rank(n, rate.ndim + 1))
        # Sine and window of (away - tap) by the addition theorems: two evaluations a sample instead of two a tap.
        sinc, sine, cosine = _sinc_sine_cosine(jnp.pi * cutoff * away)
        _, window_sine, window_cosine = _sinc_sine_cosine(turn * away)
        y = total = jnp.float32(0.0)
        for tap in range(-zero_crossings, zero_crossings + 1):
            if tap == 0:
                weight = cutoff * sinc
            else:
                angle = jnp.pi * cutoff * tap
                weight = (sine * jnp.cos(angle) - cosine * jnp.sin(angle)) / (jnp.pi * (away - tap))
            weight *= 0.5 + 0.5 * (window_cosine * math.cos(turn * tap) + window_sine * math.sin(turn * tap))
            place = row + jnp.clip(nearest + (tap + zero_crossings), 0, last)
            taps = jnp.take(padded, place, axis=-1, mode="clip")
            y += framing.with_rank(weight, taps.ndim) * taps
            total += weight
        return y / framing.with_rank(total, y.ndim)

    # By blocks, in a loop: XLA would fuse all this into whatever reads y next, and compute it as often as that reads.
    blocks = max(1, -(-length // BLOCK_SAMPLES))
    size = -(-length // blocks)
    n = jnp.arange(blocks * size, dtype=jnp.uint32).reshape(blocks, size)
    y = jnp.moveaxis(jax.lax.map(read, n), 0, -2)
    return y.reshape(*x.shape[:-1], blocks * size)[..., :length]


def output_length(samples: int, rate: float | jax.Array, length_samples: int | None) -> int:
    """length_samples, or round(N / rate) of a rate that is a number, above 0."""
    if isinstance(rate, int | float | np.number):
        if not 0 < rate < math.inf:
            raise ValueError(f"rate={rate} must be positive")
        return round(samples / rate) if length_samples is None else length_samples
    if length_samples is None:
        raise ValueError("rate is an array: say length_samples, for the output's shape cannot depend on its value")
    return length_samples


def _positions(rate: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
    """n rate, n uint32: the nearest sample, int32, and how far beyond it, float32 in [-0.5, 0.5].

    float32 alone would place sample 160,000 to 1/64: audible noise. The rate's fraction as a 32-bit integer q is exact;
    the fraction of n q is what a 32-bit product keeps, its carry the upper word, found by halves.
    """
    step = jnp.floor(rate)
    q = ((rate - step) * jnp.float32(2**32)).astype(jnp.uint32)
    low, half = jnp.uint32(0xFFFF), jnp.uint32(16)
    middle = (n >> half) * (q & low) + ((n & low) * (q & low) >> half)
    other = (n & low) * (q >> half) + (middle & low)
    carry = (n >> half) * (q >> half) + (middle >> half) + (other >> half)
    fraction = n * q
    nearest = n * step.astype(jnp.uint32) + carry + (fraction >> jnp.uint32(31))
    # Read as a signed number, the fraction is the way from the nearest sample.
    away = jax.lax.bitcast_convert_type(fraction, jnp.int32).astype(jnp.float32) * jnp.float32(2**-32)
    return nearest.astype(jnp.int32), away


def _sinc_sine_cosine(angle: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """sin(a) / a, sin(a) and cos(a) to 1e-7 for |a| <= pi / 2, by their series: XLA's own, made for any angle, take
    longer than all the rest here."""
    square = jnp.square(angle)
    sinc = cosine = jnp.float32(0.0)
    for power in range(12, -1, -2):
        sign = (-1) ** (power // 2)
        sinc = sinc * square + sign / math.factorial(power + 1)
        cosine = cosine * square + sign / math.factorial(power)
    return sinc, sinc * angle, cosine
