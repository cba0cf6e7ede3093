"""The dot product that decides: float64, in an order that is the same on every CPU."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mu_kernels._vector.builder import F32, I32, I64, Builder, vector_function


def _dot_twin(query, row, vectors, item, dim):
    products = query[row].astype(np.float64) * vectors[item].astype(np.float64)
    whole = dim - dim % 32
    sums = np.zeros(32)
    for start in range(0, whole, 32):
        sums += products[start : start + 32]
    sums = (sums[:8] + sums[8:16]) + (sums[16:24] + sums[24:])
    total = 0.0
    for value in (*sums, *products[whole:]):
        total += value
    return total


@vector_function(_dot_twin)
def dot(typing_context, queries, row, vectors, item, dim):
    """float64: <queries[row], vectors[item]>, both float32 [_, dim].

    Products of two float32 are exact in float64 and the order of the sum is fixed, so the result is the same bits on
    every CPU: 32 sums in turn, added up, then the last dim % 32 products one by one.
    """

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        _, row, _, item, dim = arguments
        double, narrow = ir.VectorType(ir.DoubleType(), 8), ir.VectorType(F32, 8)
        query = b.address(0, builder.mul(row, dim))
        vector = b.address(2, builder.mul(item, dim))
        sums = [cgutils.alloca_once_value(builder, ir.Constant(double, [0.0] * 8)) for _ in range(4)]

        def product(kind, wide, offset):
            a = builder.fpext(b.load(kind, builder.add(query, offset), 4), wide)
            return builder.fmul(a, builder.fpext(b.load(kind, builder.add(vector, offset), 4), wide))

        whole = builder.and_(dim, I64(-32))
        with cgutils.for_range(builder, builder.lshr(dim, I64(5))) as loop:
            start = builder.mul(loop.index, I64(128))
            for number, cell in enumerate(sums):
                value = product(narrow, double, builder.add(start, I64(32 * number)))
                builder.store(builder.fadd(builder.load(cell), value), cell)
        low = builder.fadd(builder.load(sums[0]), builder.load(sums[1]))
        high = builder.fadd(builder.load(sums[2]), builder.load(sums[3]))
        lanes = builder.fadd(low, high)
        total = cgutils.alloca_once_value(builder, ir.Constant(ir.DoubleType(), 0.0))
        for lane in range(8):
            value = builder.extract_element(lanes, I32(lane))
            builder.store(builder.fadd(builder.load(total), value), total)
        with cgutils.for_range(builder, builder.sub(dim, whole)) as loop:
            offset = builder.mul(builder.add(whole, loop.index), I64(4))
            value = product(F32, ir.DoubleType(), offset)
            builder.store(builder.fadd(builder.load(total), value), total)
        return builder.load(total)

    i = types.int64
    return types.float64(queries, i, vectors, i, i), generate
