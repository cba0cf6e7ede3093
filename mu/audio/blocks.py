"""Computes features of waveforms block by block on a CPU, in its cache, and all at once on accelerators.

A batch of clips at once writes all its frames and all their spectra to fresh memory, where a CPU spends more than half
of its time on page faults and cache misses; accelerators want the whole batch. Which of the two programs is lowered is
decided by the platform (`jax.lax.platform_dependent`); results agree to rounding.

Where the time of a log-mel goes: 32 clips of 10 s at 16 kHz, n_fft 512, hop 160, 128 mels, float32, in milliseconds on
one core of a 2.6 GHz AVX-512 server (XLA splits all of it over its threads):

                 padding  framing  window  transform  power  mel product  decibels, output  together
    at once         10       49       5       35        7        20              5            131
    in blocks        1        4       2       17        5         8              6             43

librosa needs 127 for the same. Tried and left out, in the same milliseconds: frames by gather (5 more, and its gradient
scatters); by updates in place or by sums of padded slices (1-2 fewer, for a slower gradient or code that depends on the
overlap); padding by `jnp.pad` (8 more); blocks of a quarter of a clip (no fewer); several loops side by side (15 more);
the transform as matrix products, at the 130 GFLOP/s of XLA's (33 where folded twice by symmetry, 60 once, 35 for the
two products of 16 x 32 points alone); the mel product whole (9 more) or of 32 filters each (no fewer).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from mu.audio.framing import count_frames, pad_last

# Samples of all frames of a block, 2 MB: with their spectra they stay near a core's second-level cache.
_BLOCK_SAMPLES = 1 << 19


def in_blocks(
    features: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    *,
    frame_samples: int,
    hop_samples: int,
    pad: Callable[[jax.Array], jax.Array],
) -> jax.Array:
    """features(pad(x)), on a CPU block by block: of long clips parts, of short ones several.

    Args:
      features: float32 [..., (F - 1) hop + W] -> [..., F, K], frame by frame; any leading axes.
      x: float32 [..., N].
      pad: [..., N] -> [..., (F - 1) hop + W or a few more].

    Returns:
      [..., F, K].
    """
    samples = jax.eval_shape(pad, x).shape[-1]
    frames = count_frames(samples, frame_samples, hop_samples)
    limit = max(_BLOCK_SAMPLES // frame_samples, 1)
    if frames <= limit or _is_sharded(x):
        return map_clips(lambda x: features(pad(x)), x, core_axes=1, samples=frames * frame_samples)

    def on_cpu(x: jax.Array) -> jax.Array:
        # Clips too long for a block: parts of them, which overlap as frames do. In whole hops, too few more for another
        # frame, so that `frame` has nothing to pad.
        parts = -(-frames // limit)
        block = -(-frames // parts)
        overlap = (-(-frame_samples // hop_samples) - 1) * hop_samples
        flat = pad_last(pad(x), 0, max(parts * block * hop_samples + overlap - samples, 0))
        flat = flat.reshape(-1, flat.shape[-1])

        def one(part: jax.Array) -> jax.Array:
            start = (part // parts, part % parts * (block * hop_samples))
            return features(jax.lax.dynamic_slice(flat, start, (1, block * hop_samples + overlap)))[0]

        out = jax.lax.map(one, jnp.arange(len(flat) * parts, dtype=jnp.int32))
        return out.reshape(*x.shape[:-1], parts * block, *out.shape[2:])[..., :frames, :]

    return jax.lax.platform_dependent(x, cpu=on_cpu, default=lambda x: features(pad(x)))


def map_clips(function: Callable[[jax.Array], jax.Array], x: jax.Array, *, core_axes: int, samples: int) -> jax.Array:
    """function(x), on a CPU for as many clips at a time as make a block.

    Args:
      function: of arrays with any leading axes, which come back as they are.
      x: [..., the axes of one clip].
      core_axes: how many axes one clip has.
      samples: what lies between, of one clip.
    """
    leading, core = x.shape[: x.ndim - core_axes], x.shape[x.ndim - core_axes :]
    clips = math.prod(leading)
    # A divisor of the batch, so that no clip is left over.
    together = max(n for n in range(1, max(_BLOCK_SAMPLES // samples, 1) + 1) if clips % n == 0)
    if clips <= together or _is_sharded(x):
        return function(x)

    def on_cpu(x: jax.Array) -> jax.Array:
        x = x.reshape(clips, *core) if together == 1 else x.reshape(clips // together, together, *core)
        out = jax.lax.map(function, x)
        return out.reshape(*leading, *out.shape[1 if together == 1 else 2 :])

    return jax.lax.platform_dependent(x, cpu=on_cpu, default=function)


def _is_sharded(x: jax.Array) -> bool:
    """Whether a mesh of explicit axes holds x: each device has its part of the batch, and no loop may run over all."""
    return any(axis is not None for axis in jax.typeof(x).sharding.spec)
