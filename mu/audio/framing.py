"""Frames of a signal: padding, cutting, and adding up again.

Shapes: any leading axes `...`, N samples, F frames, W samples a frame.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# The least normal float32: a divisor below it is taken for 0, as in librosa.
TINY = float(np.finfo(np.float32).tiny)
_PAD_MODES = ("constant", "edge", "reflect", "symmetric")
# Slices put side by side in one go; more are put together in stages.
_PIECES = 16


def as_array(x: jax.Array | np.ndarray) -> jax.Array:
    """x as a JAX array. NumPy's float64 becomes float32, with jax_enable_x64 too; all else keeps its type."""
    return jnp.asarray(x, jnp.float32 if isinstance(x, np.ndarray) and x.dtype == np.float64 else None)


def waveform(x: jax.Array | np.ndarray) -> jax.Array:
    """x as an array (see `as_array`); an error where it is no waveform."""
    x = as_array(x)
    if x.dtype != jnp.float32:
        raise TypeError(f"a waveform is float32 in [-1, 1]; got {x.dtype} {x.shape}: convert it (int16 / 32768)")
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"a waveform is [..., N] with at least one sample; got shape {x.shape}")
    return x


def with_rank(x: jax.Array, ndim: int) -> jax.Array:
    """x with axes of size 1 in front, `ndim` axes in all: what NumPy's broadcasting would do without being asked."""
    return x.reshape((1,) * (ndim - x.ndim) + x.shape)


def pad_last(x: jax.Array, before: int, after: int, pad_mode: str = "constant") -> jax.Array:
    """x with samples added to its last axis: 'constant' (zeros), 'edge', 'reflect' or 'symmetric'."""
    if pad_mode not in _PAD_MODES:
        raise ValueError(f"pad_mode={pad_mode!r} is not one of {_PAD_MODES}")
    if pad_mode != "constant":
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)], mode=pad_mode)
    if not before and not after:
        return x
    # XLA's pad asks of each sample whether it lies inside, on a CPU at 2 ns a sample: a fifth of a log-mel.
    zeros = [jnp.zeros((*x.shape[:-1], n), x.dtype) for n in (before, after)]
    return jnp.concatenate([zeros[0], x, zeros[1]], axis=-1)


def pad_centered(x: jax.Array, frame_samples: int, pad_mode: str = "constant") -> jax.Array:
    """x with frame_samples // 2 more on either side, so that frame f is centred on sample f * hop."""
    return pad_last(waveform(x), frame_samples // 2, frame_samples // 2, pad_mode)


def count_frames(samples: int, frame_samples: int, hop_samples: int) -> int:
    """Whole frames in so many samples: (N - W) // hop + 1, or an error where there is none."""
    check_positive(frame_samples=frame_samples, hop_samples=hop_samples)
    if samples < frame_samples:
        raise ValueError(f"{samples} samples are fewer than one frame of {frame_samples}: pad them, or use center=True")
    return (samples - frame_samples) // hop_samples + 1


def frame(x: jax.Array, frame_samples: int, hop_samples: int) -> jax.Array:
    """Overlapping frames: out[..., f, w] = x[..., f * hop + w] (`librosa.util.frame`).

    Args:
      x: [..., N], N >= frame_samples.

    Returns:
      [..., F, W], F = (N - W) // hop + 1; samples beyond the last whole frame are not used.
    """
    x = jnp.asarray(x)
    frames = count_frames(x.shape[-1] if x.ndim else 0, frame_samples, hop_samples)
    stages = _stages(frame_samples, hop_samples)
    reach = sum(joined * (pieces - 1) for joined, pieces in stages)
    samples, needed = x.shape[-1], (frames + reach) * hop_samples
    x = x[..., :needed] if samples >= needed else pad_last(x, 0, needed - samples)
    # Without the barrier the simplifier takes slices of a padded signal apart into pads of slices, which are slower.
    rows = jax.lax.optimization_barrier(x).reshape(*x.shape[:-1], frames + reach, hop_samples)
    for joined, pieces in stages:
        count, width = rows.shape[-2] - joined * (pieces - 1), joined * hop_samples
        rows = jnp.concatenate(
            [
                rows[..., joined * piece : joined * piece + count, : frame_samples - piece * width]
                for piece in range(pieces)
            ],
            axis=-1,
        )
    return rows[..., :frame_samples]


def frame_sums(x: jax.Array, frame_samples: int, hop_samples: int) -> jax.Array:
    """frame(x, ...).sum(-1) from the sums of rows of hop_samples, frames unmade. float32 [..., N] -> [..., F]."""
    frames = count_frames(x.shape[-1], frame_samples, hop_samples)
    whole, rest = divmod(frame_samples, hop_samples)
    needed = (frames + whole) * hop_samples
    x = x[..., :needed] if x.shape[-1] >= needed else pad_last(x, 0, needed - x.shape[-1])
    rows = x.reshape(*x.shape[:-1], frames + whole, hop_samples)
    total = rows[..., whole:, :rest].sum(-1)
    # Sums of 1, 2, 4, ... rows, of which the binary digits of `whole` say which to add.
    sums, width, start = rows.sum(-1), 1, 0
    while whole:
        if whole & 1:
            total = total + sums[..., start : start + frames]
            start += width
        whole >>= 1
        if whole:
            sums = sums[..., :-width] + sums[..., width:]
            width *= 2
    return total


def overlap_add(frames: jax.Array, hop_samples: int) -> jax.Array:
    """out[..., n] = sum_f frames[..., f, n - f * hop]: the transpose of `frame`.

    Args:
      frames: [..., F, W].

    Returns:
      [..., (F - 1) hop + W].
    """
    check_positive(hop_samples=hop_samples)
    samples = (frames.shape[-2] - 1) * hop_samples + frames.shape[-1]
    rows = pad_last(frames, 0, max(hop_samples - frames.shape[-1], 0))
    for joined, pieces in reversed(_stages(frames.shape[-1], hop_samples)):
        reach, width = joined * (pieces - 1), joined * hop_samples
        count, last = rows.shape[-2] + reach, rows.shape[-1] - (pieces - 1) * width
        # Rows of zeros before and after: each sum is of slices, with no question at the ends (see `pad_last`).
        zeros = jnp.zeros((*rows.shape[:-2], reach, rows.shape[-1]), rows.dtype)
        rows = jax.lax.optimization_barrier(jnp.concatenate([zeros, rows, zeros], axis=-2))
        parts = []
        for pieces_there, begin, end in ((pieces, 0, last), (pieces - 1, last, width)):
            starts = [(reach - joined * piece, piece * width) for piece in range(pieces_there if end > begin else 0)]
            slices = [rows[..., row : row + count, column + begin : column + end] for row, column in starts]
            parts += [functools.reduce(jnp.add, slices)] if slices else []
        rows = jnp.concatenate(parts, axis=-1)
    return rows.reshape(*frames.shape[:-2], -1)[..., :samples]


def _stages(frame_samples: int, hop_samples: int) -> list[tuple[int, int]]:
    """How frames are put together: (rows already joined, how many of these to join), stage by stage.

    In rows of hop_samples, frame f is the rows f, f + 1, ... side by side: slices of whole rows, where a gather would
    look up sample by sample. Very many rows (small hops) are joined in stages.
    """
    stages, joined = [], 1
    while joined * hop_samples < frame_samples:
        pieces = min(-(-frame_samples // (joined * hop_samples)), _PIECES)
        stages.append((joined, pieces))
        joined *= pieces
    return stages


def fast_length(samples: int) -> int:
    """The least even 2^a 3^b 5^c not below `samples`: a length whose FFT is fast."""
    odd = [3**b * 5**c for b in range(12) for c in range(8)]
    return min(2 ** max((-(-samples // m) - 1).bit_length(), 1) * m for m in odd)


def check_positive(**lengths: int) -> None:
    """Raises a ValueError that names a length which is no whole number of at least 1."""
    for name, value in lengths.items():
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
