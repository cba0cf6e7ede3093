"""What the kernels of `xla` compute, in plain JAX: for platforms other than CPU, and to test against.

Rows of excluded items come as their begin, their end and what they point into.
"""

import jax
import jax.numpy as jnp
import numpy as np

COLUMNS = 256  # excluded items of each row that are marked at a time
LEAST = np.int32(-(2**31))  # below the key of any score
Word = tuple[jax.Array, jax.Array]  # 64 bits as two uint32, upper half first
GOLDEN = (0x9E3779B9, 0x7F4A7C15)


def gathered_dot(queries: jax.Array, vectors: jax.Array, ids: jax.Array) -> jax.Array:
    return jnp.einsum("nd,nkd->nk", queries, vectors[ids])


def gathered_dot_gradients(
    gradient: jax.Array, queries: jax.Array, vectors: jax.Array, ids: jax.Array
) -> tuple[jax.Array, jax.Array]:
    _, pull_back = jax.vjp(lambda queries, vectors: gathered_dot(queries, vectors, ids), queries, vectors)
    return pull_back(gradient)


def neighbour_sums(vectors: jax.Array, indptr: jax.Array, indices: jax.Array) -> jax.Array:
    n_rows = len(indptr) - 1
    rows = jnp.repeat(jnp.arange(n_rows, dtype=jnp.int32), jnp.diff(indptr), total_repeat_length=len(indices))
    return jax.ops.segment_sum(vectors[indices], rows, n_rows, indices_are_sorted=True)


def top_k(
    k: int,
    queries: jax.Array,
    vectors: jax.Array,
    bias: jax.Array,
    starts: jax.Array,
    stops: jax.Array,
    indices: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    scores = _scores(queries, vectors, bias)
    out = jnp.isnan(scores) | _excluded(starts, stops, indices, len(vectors))
    # The order of float32 as integers, where 0 has no sign and nothing is as low as what is left out.
    bits = jax.lax.bitcast_convert_type(jnp.where(scores == 0, jnp.float32(0), scores), jnp.int32)
    keys = jnp.where(out, LEAST, jnp.where(bits < 0, LEAST - bits, bits))
    room = min(k, len(vectors))
    ids = jax.lax.top_k(keys, room)[1]
    count = jnp.minimum(jnp.sum(~out, 1, dtype=jnp.int32), jnp.int32(k))
    real = jnp.arange(room, dtype=jnp.int32)[None] < count[:, None]
    ids, best = jnp.where(real, ids, -1), jnp.where(real, jnp.take_along_axis(scores, ids, 1), -jnp.inf)
    spare = ((0, 0), (0, k - room))
    return jnp.pad(best, spare, constant_values=-jnp.inf), jnp.pad(ids, spare, constant_values=-1), count


def rank_of(
    queries: jax.Array,
    vectors: jax.Array,
    bias: jax.Array,
    starts: jax.Array,
    stops: jax.Array,
    indices: jax.Array,
    targets: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    scores = _scores(queries, vectors, bias)
    valid = (targets >= 0) & (targets < len(vectors))
    own = jnp.take_along_axis(scores, jnp.where(valid, targets, 0)[:, None], 1)
    counted = ~_excluded(starts, stops, indices, len(vectors))
    counted |= jnp.arange(len(vectors), dtype=jnp.int32)[None] == targets[:, None]
    counted &= valid[:, None]
    return (
        jnp.sum(counted & (scores > own), 1, dtype=jnp.int32),
        jnp.sum(counted & (scores == own), 1, dtype=jnp.int32),
    )


def _scores(queries: jax.Array, vectors: jax.Array, bias: jax.Array) -> jax.Array:
    scores = jnp.matmul(queries, vectors.T, precision=jax.lax.Precision.HIGHEST)
    return scores + bias[None] if bias.size else scores


def _excluded(starts: jax.Array, stops: jax.Array, indices: jax.Array, n_items: int) -> jax.Array:
    """bool [B, V]."""
    # False, but not a constant: in `shard_map` a loop's values differ between devices from the start.
    mask = jnp.broadcast_to((starts != starts)[:, None], (len(starts), n_items))
    if not indices.size:
        return mask
    rows = jnp.arange(len(starts), dtype=jnp.int32)[:, None]
    starts = jnp.clip(starts, 0, indices.size)[:, None]
    stops = jnp.minimum(stops, indices.size)[:, None]

    def mark(turn: jax.Array, mask: jax.Array) -> jax.Array:
        at = starts + turn * COLUMNS + jnp.arange(COLUMNS, dtype=jnp.int32)[None]
        items = jnp.where(at < stops, indices[jnp.minimum(at, indices.size - 1)], n_items)
        return mask.at[rows, jnp.where(items < 0, n_items, items)].set(True, mode="drop")

    longest = jnp.max(stops - starts, initial=0)
    return jax.lax.fori_loop(jnp.int32(0), (longest + COLUMNS - 1) // COLUMNS, mark, mask)


def sample_negatives(
    n: int,
    indptr: jax.Array,
    indices: jax.Array,
    table_log_q: jax.Array,
    n_items: jax.Array,
    users: jax.Array,
    words: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    in_table = (users >= 0) & (users < len(table_log_q))
    user = jnp.where(in_table, users, 0)
    log_q = jnp.where(in_table, table_log_q[user], -jnp.inf)
    begin = indptr[user]
    n_excluded = indptr[user + 1] - begin
    seed, step, row = (
        (words[:, 0], words[:, 1]),
        (words[:, 2], words[:, 3]),
        (jnp.zeros_like(words[:, 4]), words[:, 4]),
    )
    key = _xor(_mix(_add(seed, _golden())), _add(_times(step, _golden()), _golden()))
    high, low = _mix(_xor(_mix(key), _add(_times(row, _golden()), _golden())))
    column = jnp.arange(1, n + 1, dtype=jnp.uint32)[None]
    upper, lower = _mix(_add((high[:, None], low[:, None]), _times((jnp.zeros_like(column), column), _golden())))
    left = (n_items[0] - n_excluded).astype(jnp.uint32)[:, None]
    # Upper half of the product of a word and a number below 2**31.
    carry = _wide(lower, left)[0]
    over, rest = _wide(upper, left)
    rank = (over + (rest + carry < rest).astype(jnp.uint32)).astype(jnp.int32)

    def halve(_: jax.Array, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """How many of the excluded e[j] have e[j] - j <= rank: as many as [first, last] is narrowed down to."""
        first, last = bounds
        middle = (first + last) // 2
        at = jnp.minimum(begin[:, None] + middle, indices.size - 1)
        before = (middle < last) & (indices[at] - middle <= rank)
        return jnp.where(before, middle + 1, first), jnp.where(before, last, middle)

    below = rank - rank
    if indices.size:
        bounds = (below, jnp.broadcast_to(n_excluded[:, None], rank.shape))
        below = jax.lax.fori_loop(0, indices.size.bit_length() + 1, halve, bounds)[0]
    drawn = (log_q > -jnp.inf)[:, None]
    empty = (users == -1)[:, None]
    ids = jnp.where(drawn, rank + below, jnp.where(empty, 0, -1))
    return ids, jnp.broadcast_to(jnp.where(empty, jnp.float32(0), log_q[:, None]), ids.shape)


def _golden() -> Word:
    return jnp.uint32(GOLDEN[0]), jnp.uint32(GOLDEN[1])


def _wide(a: jax.Array, b: jax.Array) -> Word:
    """The product of two uint32, from four products of their halves."""
    half, low = jnp.uint32(16), jnp.uint32(0xFFFF)
    first = (a & low) * (b & low)
    inner = (a >> half) * (b & low) + (first >> half)
    outer = (a & low) * (b >> half) + (inner & low)
    return (a >> half) * (b >> half) + (inner >> half) + (outer >> half), a * b


def _add(a: Word, b: Word) -> Word:
    low = a[1] + b[1]
    return a[0] + b[0] + (low < b[1]).astype(jnp.uint32), low


def _xor(a: Word, b: Word) -> Word:
    return a[0] ^ b[0], a[1] ^ b[1]


def _times(a: Word, b: Word) -> Word:
    """The lower 64 bits of a product."""
    high, low = _wide(a[1], b[1])
    return high + a[0] * b[1] + a[1] * b[0], low


def _mix(word: Word) -> Word:
    """The finaliser of SplitMix64."""

    def folded(word: Word, bits: int) -> Word:
        shift, rest = jnp.uint32(bits), jnp.uint32(32 - bits)
        return _xor(word, (word[0] >> shift, (word[1] >> shift) | (word[0] << rest)))

    word = _times(folded(word, 30), (jnp.uint32(0xBF58476D), jnp.uint32(0x1CE4E5B9)))
    word = _times(folded(word, 27), (jnp.uint32(0x94D049BB), jnp.uint32(0x133111EB)))
    return folded(word, 31)
