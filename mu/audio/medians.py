"""Medians without sorting, which XLA does slowly: along a sliding window, and of many numbers at once.

Shapes: any leading axes `...`, N places along an axis, n numbers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def sliding_median(x: jax.Array, width: int, axis: int) -> jax.Array:
    """out[i] = median of x[i - width // 2 .. i + width // 2] along `axis`, the ends reflected (d c b a | a b c d).

    `scipy.ndimage.median_filter(x, size, mode='reflect')` of one axis. A median's gradient goes to the entry that it
    is, to equal ones in equal parts.

    Args:
      x: float32 [..., N, ...].
      width: odd.

    Returns:
      float32, the shape of x.
    """
    if not isinstance(width, int | np.integer) or width < 1 or width % 2 == 0:
        raise ValueError(f"width={width!r} must be an odd whole number: a window has a middle")
    width = int(width)
    x = jnp.moveaxis(jnp.asarray(x), axis, 0)
    padded = jnp.pad(x, [(width // 2, width // 2)] + [(0, 0)] * (x.ndim - 1), mode="symmetric")
    return jnp.moveaxis(_medians(padded, width), 0, axis)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
@functools.partial(jax.jit, static_argnums=1)
def _medians(x: jax.Array, width: int) -> jax.Array:
    """out[i] = median of x[i .. i + width - 1]. [N + width - 1, ...] -> [N, ...].

    Neighbouring windows share their work: a block of 2^m outputs sorts the elements that all its windows hold, then
    each half of the block merges what only its windows add and drops what can no longer be a median of any (Adams,
    "Fast median filters using separable sorting networks", ACM TOG 40(4), 2021, in one dimension). For width 31 that
    is about 17 comparators an output where a sorting network of the window takes 191; all are minima and maxima of
    whole arrays.
    """
    rank, places = width // 2, x.shape[0] - width + 1
    group = 1
    while 2 * group <= rank + 1:
        group *= 2
    blocks = -(-places // group)
    steps = blocks + -(-(width - 1) // group)  # of `group` places: every block and the windows beyond the last
    x = jnp.pad(x, [(0, steps * group - x.shape[0])] + [(0, 0)] * (x.ndim - 1))
    rows = x.reshape(steps, group, *x.shape[1:])
    # element[j][b] is place j of block b: output i of the block is the median of elements i .. i + width - 1.
    element = [rows[j // group : j // group + blocks, j % group] for j in range(group + width - 1)]

    def medians(first: int, outputs: int, kept: list[jax.Array], lowest: int) -> list[jax.Array]:
        """Outputs first .. first + outputs - 1, given ranks lowest .. rank of the sorted elements they share."""
        if outputs == 1:
            return [kept[rank - lowest]]
        half = outputs // 2
        left = _sorted(element[first + half - 1 : first + outputs - 1])
        right = _sorted(element[first + width : first + width + half])
        # With half - 1 elements still to come, a rank below rank - (half - 1) cannot become the median.
        bound = max(rank - (half - 1), 0)
        keep = slice(bound - lowest, rank - lowest + 1)
        return medians(first, half, _merged(kept, left)[keep], bound) + medians(
            first + half, half, _merged(kept, right)[keep], bound
        )

    lowest = max(rank - (group - 1), 0)
    out = medians(0, group, _sorted(element[group - 1 : width])[lowest : rank + 1], lowest)
    return jnp.stack(out, axis=1).reshape(blocks * group, *x.shape[1:])[:places]


@_medians.defjvp
@functools.partial(jax.jit, static_argnums=0)
def _medians_jvp(width: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    # Of the network itself the derivative would be right too, and take minutes to compile.
    (x,), (dx,) = primals, tangents
    out = _medians(x, width)

    def add(total: tuple[jax.Array, jax.Array], at: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        is_median = jax.lax.dynamic_slice_in_dim(x, at, out.shape[0]) == out
        change = jnp.where(is_median, jax.lax.dynamic_slice_in_dim(dx, at, out.shape[0]), jnp.float32(0))
        return (total[0] + is_median.astype(jnp.float32), total[1] + change), None

    (count, change), _ = jax.lax.scan(add, (jnp.zeros_like(out), jnp.zeros_like(out)), jnp.arange(width))
    return out, change / count


@jax.jit
def median(x: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """The median of the last axis, of the entries where `where` is True if given; 0 where there is none.

    The middle number is found bit by bit, by counting how many are smaller: 32 passes that read, where a sort moves.
    Its gradient goes to the entries in the middle.

    Args:
      x: float32 [..., n].
      where: bool [..., n] or None.

    Returns:
      float32 [...].
    """
    x = jnp.asarray(x)
    if not x.shape[-1]:
        return jnp.zeros(x.shape[:-1], x.dtype)
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), jnp.uint32)
    sign = jnp.uint32(1 << 31)
    order = jnp.where(bits >= sign, ~bits, bits | sign)  # of the same order as the floats
    counted = jnp.ones(x.shape, bool) if where is None else where
    order = jnp.where(counted, order, jnp.uint32(0xFFFFFFFF))
    count = counted.sum(-1, keepdims=True, dtype=jnp.int32)
    middle = (count - 1) // 2  # and, of an even count, the next one

    def settle(step: jax.Array, known: jax.Array) -> jax.Array:
        trial = known | (sign >> step.astype(jnp.uint32))
        smaller = (order < trial).sum(-1, keepdims=True, dtype=jnp.int32)
        return jnp.where(smaller <= middle, trial, known)

    low = jax.lax.fori_loop(0, 32, settle, jnp.zeros_like(order[..., :1]))
    up_to_low = (order <= low).sum(-1, keepdims=True, dtype=jnp.int32)
    above = jnp.where(order > low, order, jnp.uint32(0xFFFFFFFF)).min(-1, keepdims=True)
    high = jnp.where((count % 2 == 0) & (up_to_low <= middle + 1), above, low)

    def value(number: jax.Array) -> jax.Array:
        equal = counted & (order == number)
        return jnp.where(equal, x, jnp.float32(0)).sum(-1) / jnp.maximum(equal.sum(-1), 1).astype(jnp.float32)

    return (value(low) + value(high)) * jnp.float32(0.5)


def _sorted(items: list[jax.Array]) -> list[jax.Array]:
    """The items in ascending order, place by place: Batcher's merge sort."""
    if len(items) < 2:
        return list(items)
    half = len(items) // 2
    return _merged(_sorted(items[:half]), _sorted(items[half:]))


def _merged(a: list[jax.Array], b: list[jax.Array]) -> list[jax.Array]:
    """Two ascending lists of any lengths as one: Batcher's odd-even merge. XLA removes unused outputs."""
    if not a or not b:
        return a or b
    if len(a) == len(b) == 1:
        return [jnp.minimum(a[0], b[0]), jnp.maximum(a[0], b[0])]
    even, odd = _merged(a[0::2], b[0::2]), _merged(a[1::2], b[1::2])
    out = [even[0]]
    for low, high in zip(odd, even[1:], strict=False):
        out += [jnp.minimum(low, high), jnp.maximum(low, high)]
    return out + odd[len(even) - 1 :] + even[len(odd) + 1 :]
