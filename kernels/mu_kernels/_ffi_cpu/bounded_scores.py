"""Approximate scores of a chunk of items with bounds on their error, and the exact scores that decide.

Products of float32, of LANES queries with a few items at a time, all sums in registers; an item whose bound leaves
open whether it exceeds a limit is scored in float64.
"""

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mu_kernels._vector.builder import F32, FLOATS, I32, I64, LANES, Builder
from mu_kernels._vector.exact_dot import dot

FAST = {"reassoc", "contract", "nsz"}
TILE = 8  # items that LANES (16) queries are multiplied with at a time
CHUNK = 128  # items that stay in the cache for all queries
FEW = 4  # queries up to which each is multiplied by itself
LARGEST = 1e18  # the product of two such lengths is a float32 and so is every sum on the way
ROUNDING = 2.0**-23
SMALLEST = 2.4e-38  # twice the smallest float32 that XLA's threads do not take for 0


@intrinsic
def _tile(typing_context, turned, vectors, item, last, dim, out):  # pyright: ignore[reportUnusedParameter]
    """Products of LANES queries with TILE items, all sums in registers; items past `last` are `last` again."""

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
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
def compare(typing_context, products, i, offset, slack, error, lengths, limits, base, counts):  # pyright: ignore
    """Of LANES queries from `base` on, those whose score with item i is not certainly below their limit, as bits.

    A score lies within `length error + slack` of `products[i] + offset`. Bits 16 and up: those whose score is certainly
    above, of which 1 is added to their `counts`. Whatever is compared with NaN is neither.
    """

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
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
def products(queries, turned, first_query, vectors, first, n, out):
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
def side_by_side(queries):
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
def error_bounds(vectors, bias, first, n, errors, offsets, slacks):
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
def score_of(queries, q, vectors, item, bias):
    """The score that decides: in float64, rounded to float32; 0 has no sign."""
    value = dot(queries, q, vectors, item, queries.shape[1])
    if len(bias):
        value += bias[item]
    return np.float32(value) + np.float32(0)
