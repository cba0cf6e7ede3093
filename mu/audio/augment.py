"""Augmentations of level: gain, polarity, noise, mixup; and `each`, which all augmentations of mu use.

An augmentation is `f(key, x, *, ranges, p)`: each example of the batch draws its own values from a key of its own. So
its result depends on the key and on its row, not on the size of the batch. Shapes do not change, jit and grad work, `p`
is the share of examples that are changed. `augment_filters`, `augment_time` and `augment_spectrogram`
hold the rest.

Shapes: B examples, N samples, `...` channels (which share their example's draws). Keys are threefry, JAX's default:
the generator 'rbg' draws otherwise under vmap and so in batches of another size.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import spectral
from mu.audio.framing import fast_length, with_rank

Range = tuple[float, float]


def each(f: Callable[[jax.Array, jax.Array], jax.Array], key: jax.Array, x: jax.Array, p: float = 1.0) -> jax.Array:
    """f(key_b, x[b]) for every example b with probability p, else x[b] unchanged. [B, ...] -> [B, ...].

    key_b is `fold_in(key, b)`, split in two: one half decides, the other goes to f.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p={p} is a probability: give a number in [0, 1]")
    x = checked_batch(x)

    def one(row: jax.Array, example: jax.Array) -> jax.Array:
        coin, draw = jax.random.split(jax.random.fold_in(key, row))
        changed = f(draw, example)
        return changed if p == 1 else jnp.where(jax.random.bernoulli(coin, jnp.float32(p)), changed, example)

    return jax.vmap(one)(jnp.arange(len(x), dtype=jnp.uint32), x)


def checked_batch(x: jax.Array | np.ndarray) -> jax.Array:
    """x as a JAX array; a TypeError where it is no float32 batch."""
    x = spectral.as_array(x)
    if x.ndim < 2 or x.dtype != jnp.float32:
        raise TypeError(f"x is a float32 batch [B, ...] of at least two axes; got {x.dtype} {x.shape}")
    return x


def uniform(key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
    """float32 in [0, 1), with jax_enable_x64 too: the same draws."""
    return jax.random.uniform(key, shape, jnp.float32)


def between(u: jax.Array, limits: Range, name: str, *, logarithmic: bool = False) -> jax.Array:
    """u in [0, 1) mapped to between two limits, linearly or by ratio; errors call the limits `name`."""
    low, high = limits
    if not low <= high or (logarithmic and low <= 0):
        raise ValueError(f"{name}={limits}: give (low, high), low <= high" + (", both positive" if logarithmic else ""))
    if logarithmic:
        return jnp.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    return low + u * (high - low)


def gain(key: jax.Array, x: jax.Array, *, gain_db: Range = (-12.0, 6.0), p: float = 1.0) -> jax.Array:
    """x 10^(g / 20), g uniform in `gain_db`. float32 [B, ..., N] -> the same shape. Nothing is clipped."""

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        return x * from_db(between(uniform(key), gain_db, "gain_db") / 2)

    return each(one, key, x, p)


def polarity(key: jax.Array, x: jax.Array, *, p: float = 0.5) -> jax.Array:
    """-x. float32 [B, ..., N] -> the same shape."""
    return each(lambda key, x: -x, key, x, p)


def add_noise(
    key: jax.Array, x: jax.Array, *, snr_db: Range = (5.0, 30.0), exponent: Range = (0.0, 0.0), p: float = 1.0
) -> jax.Array:
    """x + noise, the ratio of their energies exactly 10^(s / 10), s uniform in `snr_db`.

    Args:
      x: float32 [B, ..., N]; silence stays silence.
      exponent: the noise has power 1 / f^a with a uniform in this range: 0 white, 1 pink, 2 brown, -1 blue.

    Returns:
      float32, the shape of x.
    """

    def one(key: jax.Array, x: jax.Array) -> jax.Array:
        values, draw = jax.random.split(key)
        color, level = uniform(values, (2,))
        noise = colored_noise(draw, x.shape, between(color, exponent, "exponent"))
        ratio = energy(x) / energy(noise) * from_db(-between(level, snr_db, "snr_db"))
        return x + noise * spectral.safe_sqrt(ratio)

    return each(one, key, x, p)


def colored_noise(key: jax.Array, shape: tuple[int, ...], exponent: jax.Array) -> jax.Array:
    """Noise of power 1 / f^exponent along the last axis, float32 `shape`, of no particular level.

    Drawn as a spectrum: magnitudes f^(-exponent / 2), and a random sign for each real and imaginary part, so that a
    sample is a sum of thousands of independent terms, Gaussian by the central limit theorem. One bit a sample and an
    inverse FFT cost half of what drawing Gaussian samples costs, and any exponent comes free. Below 1/1024 of the
    sample rate the density is level, or brown noise would be all rumble.
    """
    n = fast_length(max(shape[-1], 4096))
    frequency = np.maximum(np.arange(n // 2 + 1) / n, 1 / 1024)
    magnitude = jnp.exp(-exponent / 2 * jnp.asarray(np.log(frequency), jnp.float32)).at[0].set(0.0)
    words = jax.random.bits(key, (*shape[:-1], 2, -(-len(frequency) // 32)), jnp.uint32)
    bits = words[..., None] >> with_rank(jnp.arange(32, dtype=jnp.uint32), words.ndim + 1) & jnp.uint32(1)
    signs = 1.0 - 2.0 * bits.reshape(*words.shape[:-1], -1)[..., : len(frequency)].astype(jnp.float32)
    magnitude = with_rank(magnitude, len(shape))
    spectrum = jax.lax.complex(signs[..., 0, :] * magnitude, signs[..., 1, :] * magnitude)
    return jnp.fft.irfft(spectrum, n)[..., : shape[-1]]


def mixup(
    key: jax.Array, x: jax.Array, *, alpha: float = 0.2, p: float = 1.0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """l_b x_b + (1 - l_b) x_partner, l_b ~ Beta(alpha, alpha) (Zhang et al. 2018, arXiv:1710.09412).

    Targets are mixed alike: `weight[:, None] * y + (1 - weight[:, None]) * y[partner]`. The partners are the batch
    turned by a random step: everyone is a partner once, nobody their own (but for a batch of one). They depend on
    the batch, as nothing else here does; the weights do not.

    Args:
      x: float32 [B, ...], waveforms or features.
      alpha: > 0. Small values keep most examples nearly pure.
      p: otherwise the weight is 1.

    Returns:
      The mixture (the shape of x), partner int32 [B], weight float32 [B].
    """
    if alpha <= 0:
        raise ValueError(f"alpha={alpha} must be positive")
    x = checked_batch(x)
    turn, draw = jax.random.split(key)
    batch = len(x)

    def beta(key: jax.Array, one: jax.Array) -> jax.Array:
        return jax.random.beta(key, alpha, alpha, one.shape, jnp.float32)

    weight = each(beta, draw, jnp.ones((batch, 1), jnp.float32), p)[:, 0]
    step = jax.random.randint(turn, (), min(1, batch - 1), max(batch, 1), jnp.int32)
    partner = (jnp.arange(batch, dtype=jnp.int32) + step) % batch
    share = weight.reshape(-1, *[1] * (x.ndim - 1))
    # Not x[partner]: XLA would compute what x is made of once for either, sample by sample; a concatenation it keeps.
    others = jax.lax.dynamic_slice_in_dim(jnp.concatenate([x, x]), step, batch)
    return share * x + (1 - share) * others, partner, weight


def energy(x: jax.Array) -> jax.Array:
    """Sum of squares over all axes, a scalar."""
    return jnp.square(x).sum()


def from_db(db: jax.Array) -> jax.Array:
    """10^(db / 10), a ratio of powers."""
    return jnp.exp(db * jnp.float32(math.log(10) / 10))
