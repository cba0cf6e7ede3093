"""What XLA calls on CPU: handlers of its FFI that find the arrays in its call frame, and the loops over them.

One thread each. Nothing can be raised from here: whatever the numbers, a handler stays within its arrays.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mu_kernels._vector import F32, FLOATS, I32, I64, LANES, _Builder, dot

# Layouts of xla/ffi/api/c_api.h, in words of 8 bytes.
FRAME_EXTENSION, FRAME_API, FRAME_ARGUMENTS, FRAME_RESULTS = 1, 2, 9, 14
BUFFER_DATA, BUFFER_DIMENSIONS = 3, 5
EXTENSION_METADATA = 1
API_VERSION, METADATA_VERSION = 4, 3  # two int32: major, minor

FAST = {"reassoc", "contract", "nsz"}
TILE = 8  # items that LANES (16) queries are multiplied with at a time
CHUNK = 128  # items that stay in the cache for all queries
FEW = 4  # queries up to which each is multiplied by itself
LARGEST = 1e18  # the product of two such lengths is a float32 and so is every sum on the way
ROUNDING = 2.0**-23
SMALLEST = 2.4e-38  # twice the smallest float32 that XLA's threads do not take for 0

BLOCK = 512  # draws at a time
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@intrinsic
def _pointer(typing_context, address):  # pyright: ignore[reportUnusedParameter]
    """A void pointer from an address."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.intp), generate


@numba.njit(inline="always")
def _words(address, n):
    return numba.carray(_pointer(address), (n,), np.int64)  # pyright: ignore  (numba passes the context itself)


@numba.njit
def _buffers(address) -> tuple[int, int]:
    """(the arguments' buffers, the results' buffers), or two times 0 where XLA only asks for the version it speaks.

    The answer is the version it says itself: whether that is one whose layouts are known is asked before registering.
    """
    frame = _words(address, 16)
    extension = frame[FRAME_EXTENSION]
    if extension != 0:
        base = _words(extension, 4)
        if (base[1] & 0xFFFFFFFF) == EXTENSION_METADATA:
            if frame[FRAME_API] != 0:
                _words(base[3], 4)[METADATA_VERSION] = _words(frame[FRAME_API], 5)[API_VERSION]
            return 0, 0
    return frame[FRAME_ARGUMENTS], frame[FRAME_RESULTS]


def _reader(dtype, ndim):
    """Array number `number` of some buffers, where it lies."""

    @numba.njit
    def vector(buffers, number):
        buffer = _words(_words(buffers, number + 1)[number], 6)
        length = _words(buffer[BUFFER_DIMENSIONS], 1)[0]
        return numba.carray(_pointer(buffer[BUFFER_DATA]), (length,), dtype)  # pyright: ignore

    @numba.njit
    def matrix(buffers, number):
        buffer = _words(_words(buffers, number + 1)[number], 6)
        shape = _words(buffer[BUFFER_DIMENSIONS], 2)
        return numba.carray(_pointer(buffer[BUFFER_DATA]), (shape[0], shape[1]), dtype)  # pyright: ignore

    return vector if ndim == 1 else matrix


_floats, _float_matrix = _reader(np.float32, 1), _reader(np.float32, 2)
_ints, _int_matrix = _reader(np.int32, 1), _reader(np.int32, 2)
_uint_matrix = _reader(np.uint32, 2)


@numba.njit(fastmath=FAST)
def _scores(queries, vectors, ids, out):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    for n in range(n_queries):
        query = queries[n]
        for k in range(n_ids):
            vector = vectors[ids[n, k]]
            total = np.float32(0)
            for d in range(dim):
                total += query[d] * vector[d]
            out[n, k] = total


@numba.njit(fastmath=FAST)
def _gradients(gradient, queries, vectors, ids, query_gradient, vector_gradient):
    n_queries, dim = queries.shape
    n_ids = ids.shape[1]
    vector_gradient[:] = 0
    for n in range(n_queries):
        query, to_query = queries[n], query_gradient[n]
        to_query[:] = 0
        for k in range(n_ids):
            weight = gradient[n, k]
            if weight == 0:  # empty positions
                continue
            vector, to_vector = vectors[ids[n, k]], vector_gradient[ids[n, k]]
            for d in range(dim):
                to_query[d] += weight * vector[d]
                to_vector[d] += weight * query[d]


@intrinsic
def _tile(typing_context, turned, vectors, item, last, dim, out):  # pyright: ignore[reportUnusedParameter]
    """Products of LANES queries with TILE items, all sums in registers; items past `last` are `last` again."""

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
        _, _, item, last, dim, _ = arguments
        ours, out = b.address(0, I64(0)), b.address(5, I64(0))
        rows = []
        for i in range(TILE):
            at = builder.add(item, I64(i))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            rows.append(b.address(1, builder.mul(at, dim)))
        sums = [cgutils.alloca_once_value(builder, FLOATS([0.0] * LANES)) for _ in rows]
        with cgutils.for_range(builder, dim) as loop:
            queries = b.load(FLOATS, builder.add(ours, builder.mul(loop.index, I64(4 * LANES))), 4)
            for row, cell in zip(rows, sums, strict=True):
                value = b.splat(b.load(F32, builder.add(row, builder.mul(loop.index, I64(4))), 4))
                product = builder.fmul(queries, value, flags=["contract"])
                builder.store(builder.fadd(builder.load(cell), product, flags=["contract"]), cell)
        for i, cell in enumerate(sums):
            b.store(builder.load(cell), builder.add(out, I64(4 * LANES * i)), 4)
        return context.get_dummy_value()

    i = types.int64
    return types.void(turned, vectors, i, i, i, out), generate


@intrinsic
def _compare(typing_context, products, i, offset, slack, error, lengths, limits, base, counts):  # pyright: ignore
    """Of LANES queries from `base` on, those whose score with item i is not certainly below their limit, as bits.

    A score lies within `length error + slack` of `products[i] + offset`. Bits 16 and up: those whose score is certainly
    above, of which 1 is added to their `counts`. Whatever is compared with NaN is neither.
    """

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
        _, i, offset, slack, error, _, _, base, _ = arguments
        ints, zeros = ir.VectorType(I32, LANES), ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
        value = b.load(FLOATS, b.address(0, builder.mul(i, I64(LANES))), 4)
        value = builder.fadd(value, b.splat(offset))
        wide = builder.fmul(b.load(FLOATS, b.address(5, base), 4), b.splat(error))
        wide = builder.fadd(wide, b.splat(slack))
        limit, at = b.load(FLOATS, b.address(6, base), 4), b.address(8, base)
        above = builder.fcmp_ordered(">", builder.fsub(value, wide), limit)
        open_ = builder.not_(builder.fcmp_ordered("<", builder.fadd(value, wide), limit))
        one = builder.select(above, ir.Constant(ints, [1] * LANES), zeros)
        b.store(builder.add(b.load(ints, at, 4), one), at, 4)
        bits = [builder.zext(builder.bitcast(mask, ir.IntType(LANES)), I64) for mask in (open_, above)]
        return builder.or_(bits[0], builder.shl(bits[1], I64(16)))

    i, f = types.int64, types.float32
    return i(products, i, f, f, f, lengths, limits, i, counts), generate


@numba.njit(fastmath=FAST)
def _products(queries, turned, first_query, vectors, first, n, out):
    """out[i, lane] = <vectors[first + i], queries[first_query + lane]>, sums in any order, for LANES queries or few.

    `turned` [D, LANES] are the same queries.
    """
    n_queries, dim = queries.shape
    if n_queries <= FEW:
        for i in range(n):
            vector = vectors[first + i]
            for lane in range(n_queries):
                query = queries[lane]
                total = np.float32(0)
                for d in range(dim):
                    total += query[d] * vector[d]
                out[i, lane] = total
        return
    for i in range(0, n, TILE):
        _tile(turned, vectors, first + i, first + n - 1, dim, out[i : i + TILE])  # pyright: ignore


@numba.njit(fastmath=FAST)
def _lengths(rows, first, n, factor, out):
    """out[i] = factor * |rows[first + i]|, infinite where products with it might overflow."""
    dim = rows.shape[1]
    for i in range(n):
        row = rows[first + i]
        total = np.float32(0)
        for d in range(dim):
            total += row[d] * row[d]
        # Squares may have been too small for float32.
        out[i] = factor * np.sqrt(np.float64(total) + dim * SMALLEST) if total < LARGEST * LARGEST else np.inf


@numba.njit
def _turned(queries):
    """(float32 [groups, D, LANES], float32 [groups * LANES]): queries side by side, and their lengths; then zeros."""
    n_queries, dim = queries.shape
    groups = (n_queries + LANES - 1) // LANES
    turned = np.zeros((groups, dim, LANES), np.float32)
    for q in range(n_queries):
        for d in range(dim):
            turned[q // LANES, d, q % LANES] = queries[q, d]
    lengths = np.zeros(groups * LANES, np.float32)
    _lengths(queries, 0, n_queries, 1.0, lengths)
    return turned, lengths


@numba.njit
def _errors(vectors, bias, first, n, errors, offsets, slacks):
    """Bounds for a chunk of items: |score - (product + offset)| <= |query| error + slack, the score being rounded.

    A sum of D products in float32, in any order, errs by less than D 2**-24 |q| |x| (1 + 1e-6) (Higham 2002, section
    3.1). Twice that, and room for the roundings of the bound itself.
    """
    dim = vectors.shape[1]
    _lengths(vectors, first, n, (dim + 8) * ROUNDING, errors)
    for i in range(n):
        offset = bias[first + i] if len(bias) else np.float32(0)
        offsets[i] = offset
        slacks[i] = 4 * ROUNDING * abs(offset) + dim * SMALLEST
        if not abs(offset) < LARGEST * LARGEST:
            errors[i] = np.inf


@numba.njit
def _score(queries, q, vectors, item, bias):
    """The score that decides: in float64, rounded to float32; 0 has no sign."""
    value = dot(queries, q, vectors, item, queries.shape[1])
    if len(bias):
        value += bias[item]
    return np.float32(value) + np.float32(0)


@numba.njit
def _row(starts, stops, q, n):
    """Where a row begins and ends, within the n entries that there are."""
    begin = min(max(np.int64(starts[q]), 0), n)
    return begin, min(max(np.int64(stops[q]), begin), n)


@numba.njit
def _worse(score_a, id_a, score_b, id_b):
    """Does a rank below b? Lower score, or the same and a higher id."""
    return score_a < score_b or (score_a == score_b and id_a > id_b)


@numba.njit
def _sift_down(ids, scores, size):
    """Restores the heap of the first `size` slots, worst on top, whose top is new."""
    at, item, score = 0, ids[0], scores[0]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _worse(scores[child + 1], ids[child + 1], scores[child], ids[child]):
            child += 1
        if not _worse(scores[child], ids[child], score, item):
            break
        ids[at], scores[at] = ids[child], scores[child]
        at = child
    ids[at], scores[at] = item, score


@numba.njit
def _sift_up(ids, scores, size, item, score):
    """Puts an entry after the first `size` slots of the heap."""
    at = size
    while at > 0 and _worse(score, item, scores[(at - 1) // 2], ids[(at - 1) // 2]):
        ids[at], scores[at] = ids[(at - 1) // 2], scores[(at - 1) // 2]
        at = (at - 1) // 2
    ids[at], scores[at] = item, score


@numba.njit
def _top_k(queries, vectors, bias, starts, stops, indices, ids, scores, count):
    """Approximate scores of a chunk of items; those that may beat the worst of the k best so far are scored exactly."""
    n_queries, n_items, k = len(queries), len(vectors), ids.shape[1]
    turned, lengths = _turned(queries)
    # What a score must exceed: NaN, than which nothing is certainly less, until k are found; past the last, infinity.
    thresholds = np.full(len(lengths), np.inf, np.float32)
    thresholds[:n_queries] = np.nan
    cursors = np.empty(n_queries, np.int64)
    for q in range(n_queries):
        cursors[q] = _row(starts, stops, q, len(indices))[0]
    unused = np.zeros(len(lengths), np.int32)
    ids[:] = -1
    scores[:] = -np.inf
    count[:] = 0
    out = np.zeros((CHUNK, LANES), np.float32)
    errors, offsets, slacks = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for first in range(0, n_items, CHUNK):
        n = min(CHUNK, n_items - first)
        _errors(vectors, bias, first, n, errors, offsets, slacks)
        for group in range(len(turned)):
            base = group * LANES
            lanes = min(LANES, n_queries - base)
            _products(queries, turned[group], base, vectors, first, n, out)
            for i in range(n):
                mask = _compare(  # pyright: ignore
                    out, i, offsets[i], slacks[i], errors[i], lengths, thresholds, base, unused
                )
                if mask == 0:
                    continue
                item = first + i
                for lane in range(lanes):
                    if not (mask >> lane) & 1:
                        continue
                    q = base + lane
                    at, stop = cursors[q], _row(starts, stops, q, len(indices))[1]
                    while at < stop and indices[at] < item:
                        at += 1
                    cursors[q] = at
                    if at < stop and indices[at] == item:
                        continue
                    score = _score(queries, q, vectors, item, bias)
                    if score != score:  # NaN is no score
                        continue
                    size = count[q]
                    if size < k:
                        _sift_up(ids[q], scores[q], size, item, score)
                        count[q] = size + 1
                    elif score > scores[q, 0]:
                        ids[q, 0], scores[q, 0] = item, score
                        _sift_down(ids[q], scores[q], k)
                    if count[q] == k:
                        thresholds[q] = scores[q, 0]
    for q in range(n_queries):
        size = count[q]
        while size > 1:
            size -= 1
            ids[q, 0], ids[q, size] = ids[q, size], ids[q, 0]
            scores[q, 0], scores[q, size] = scores[q, size], scores[q, 0]
            _sift_down(ids[q], scores[q], size)


@numba.njit
def _rank_of(queries, vectors, targets, bias, starts, stops, indices, greater, equal):
    """Counts by approximate scores; those too close to the target's to tell are scored exactly."""
    n_queries, n_items = len(queries), len(vectors)
    turned, lengths = _turned(queries)
    # Below infinity everything is certain: so a target that is none, or whose score is NaN, costs nothing.
    own = np.full(len(lengths), np.inf, np.float32)
    valid = np.zeros(len(lengths), np.bool_)
    for q in range(n_queries):
        if 0 <= targets[q] < n_items:
            score = _score(queries, q, vectors, np.int64(targets[q]), bias)
            if score == score:
                own[q], valid[q] = score, True
    above, same = np.zeros(len(lengths), np.int32), np.zeros(len(lengths), np.int32)
    out = np.zeros((CHUNK, LANES), np.float32)
    errors, offsets, slacks = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    for first in range(0, n_items, CHUNK):
        n = min(CHUNK, n_items - first)
        _errors(vectors, bias, first, n, errors, offsets, slacks)
        for group in range(len(turned)):
            base = group * LANES
            lanes = min(LANES, n_queries - base)
            _products(queries, turned[group], base, vectors, first, n, out)
            for i in range(n):
                mask = _compare(  # pyright: ignore
                    out, i, offsets[i], slacks[i], errors[i], lengths, own, base, above
                )
                mask &= ~(mask >> 16) & 0xFFFF
                if mask == 0:
                    continue
                for lane in range(lanes):
                    q = base + lane
                    if (mask >> lane) & 1 and valid[q]:
                        score = _score(queries, q, vectors, first + i, bias)
                        above[q] += np.int32(score > own[q])
                        same[q] += np.int32(score == own[q])
    for q in range(n_queries):
        greater[q] = equal[q] = 0
        if not valid[q]:
            continue
        greater[q], equal[q] = above[q], same[q]
        begin, stop = _row(starts, stops, q, len(indices))
        before = -1
        for at in range(begin, stop):
            item = np.int64(indices[at])
            if before < item < n_items and item != targets[q]:
                score = _score(queries, q, vectors, item, bias)
                greater[q] -= np.int32(score > own[q])
                equal[q] -= np.int32(score == own[q])
            before = max(before, item)


@numba.njit
def _mix(word):
    """The finaliser of SplitMix64, as in `_uniform`."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@numba.njit
def _stream(words):
    """Where the words of a row begin, from halves (seed, step) and the row's number."""
    seed = (np.uint64(words[0]) << HALF) | np.uint64(words[1])
    step = (np.uint64(words[2]) << HALF) | np.uint64(words[3])
    key = _mix(_mix(seed + GOLDEN) ^ (step * GOLDEN + GOLDEN))
    return _mix(key ^ (np.uint64(words[4]) * GOLDEN + GOLDEN))


@numba.njit
def _draw(indptr, indices, table_log_q, n_items, users, words, ids, log_q):
    """The draws of `_uniform.draw_uniform`: a rank among what is left, and a binary search for its item."""
    n_draws = ids.shape[1]
    rank, below = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    for b in range(len(users)):
        user = np.int64(users[b])
        if not 0 <= user < len(table_log_q) or table_log_q[user] == -np.inf:
            empty = user == -1
            ids[b] = 0 if empty else -1
            log_q[b] = 0 if empty else -np.inf
            continue
        log_q[b] = table_log_q[user]
        begin, stop = _row(indptr, indptr[1:], user, len(indices))
        excluded, heard = indices[begin:stop], stop - begin
        wide_left = np.uint64(np.uint32(n_items[0] - heard))
        stream = _stream(words[b])
        for start in range(0, n_draws, BLOCK):
            n = min(BLOCK, n_draws - start)
            word_before = stream + np.uint64(start) * GOLDEN
            for i in range(n):
                word = _mix(word_before + (np.uint64(i) + np.uint64(1)) * GOLDEN)
                carry = ((word & LOW) * wide_left) >> HALF
                rank[i] = np.int32(((word >> HALF) * wide_left + carry) >> HALF)
                below[i] = 0
            size = heard
            while size > 0:
                half = max(size >> 1, 1)
                for i in range(n):
                    probe = below[i] + half
                    found = excluded[np.uint64(probe - 1)] - (probe - 1) <= rank[i]
                    below[i] = np.int32(probe) if found else below[i]
                size -= half
            out = ids[b, start : start + n]
            for i in range(n):
                out[i] = rank[i] + below[i]


def gathered_dot_scores(address):
    given, made = _buffers(address)
    if given != 0:
        _scores(_float_matrix(given, 0), _float_matrix(given, 1), _int_matrix(given, 2), _float_matrix(made, 0))
    return 0


def gathered_dot_gradients(address):
    given, made = _buffers(address)
    if given != 0:
        gradient, queries, vectors = _float_matrix(given, 0), _float_matrix(given, 1), _float_matrix(given, 2)
        _gradients(gradient, queries, vectors, _int_matrix(given, 3), _float_matrix(made, 0), _float_matrix(made, 1))
    return 0


def top_k(address):
    given, made = _buffers(address)
    if given != 0:
        queries, vectors, bias = _float_matrix(given, 0), _float_matrix(given, 1), _floats(given, 2)
        starts, stops, indices = _ints(given, 3), _ints(given, 4), _ints(given, 5)
        ids, scores, count = _int_matrix(made, 1), _float_matrix(made, 0), _ints(made, 2)
        _top_k(queries, vectors, bias, starts, stops, indices, ids, scores, count)
    return 0


def rank_of(address):
    given, made = _buffers(address)
    if given != 0:
        queries, vectors, bias = _float_matrix(given, 0), _float_matrix(given, 1), _floats(given, 2)
        starts, stops, indices = _ints(given, 3), _ints(given, 4), _ints(given, 5)
        targets, greater, equal = _ints(given, 6), _ints(made, 0), _ints(made, 1)
        _rank_of(queries, vectors, targets, bias, starts, stops, indices, greater, equal)
    return 0


def sample_negatives(address):
    given, made = _buffers(address)
    if given != 0:
        indptr, indices, table_log_q, n_items = _ints(given, 0), _ints(given, 1), _floats(given, 2), _ints(given, 3)
        users, words = _ints(given, 4), _uint_matrix(given, 5)
        _draw(indptr, indices, table_log_q, n_items, users, words, _int_matrix(made, 0), _float_matrix(made, 1))
    return 0


# Targets by name; `_jit.address_kernel` compiles one.
HANDLERS = {
    handler.__name__: handler
    for handler in (gathered_dot_scores, gathered_dot_gradients, top_k, rank_of, sample_negatives)
}
