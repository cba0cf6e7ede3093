"""Products of small integers for one query, a panel of 16 items at a time.

Items lie in panels of 16, dimensions in words of four bytes: one 64-byte line holds a word of each item, so one
instruction multiplies a word of the query with 16 items and adds the four products to 16 sums. That instruction is
AVX-512 VNNI's `vpdpbusd`; other CPUs get the same sums from 16-bit products in portable LLVM IR (`pmaddwd` on AVX2).
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mu_kernels._vector.builder import F32, FLOATS, I16, I32, I64, INTS, LANES, LINE, Builder, vector_function


def _panel_dots_twin(plane, panel, lines, words, query, out):
    line = plane[panel].view(np.uint8).reshape(lines, LANES, 4).astype(np.int32)
    word = words[query].view(np.int8).reshape(2, lines, 4).astype(np.int32)
    out[:] = np.einsum("lij,lj->i", line & 15, word[0]) + np.einsum("lij,lj->i", line >> 4, word[1])


@vector_function(_panel_dots_twin)
def panel_dots(typing_context, plane, panel, lines, words, query, out):
    """out[i] = sum_d nibble[i, d] * query[d], over the four-bit codes of a panel.

    plane: uint32 [panels, lines, 16]; line number l holds, of each item, word l in its low nibbles and word
    lines + l in its high ones. words: int32 [queries, 2 * lines], four signed bytes each. out: int32 [16].
    """

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        _, panel, lines, _, query, _ = arguments
        codes = b.address(0, builder.mul(builder.mul(panel, lines), I64(LANES)))
        words = b.address(3, builder.mul(builder.mul(query, lines), I64(2)))
        low = ir.Constant(LINE, [15] * 64)
        four = ir.Constant(LINE, [4] * 64)
        # Four chains, so that an instruction does not wait for the one before.
        chains = [cgutils.alloca_once_value(builder, ir.Constant(INTS, [0] * LANES)) for _ in range(4)]

        def add(line_number, first_chain):
            line = b.load(LINE, builder.add(codes, builder.mul(line_number, I64(64))), 64)
            for number, nibbles in enumerate((builder.and_(line, low), builder.lshr(line, four))):
                at = builder.add(line_number, lines) if number else line_number
                word = b.splat(b.load(I32, builder.add(words, builder.mul(at, I64(4))), 4))
                chain = chains[first_chain + number]
                builder.store(b.multiply_add(builder.load(chain), nibbles, word), chain)

        even = builder.lshr(lines, I64(1))
        with cgutils.for_range(builder, even) as loop:
            add(builder.mul(loop.index, I64(2)), 0)
            add(builder.add(builder.mul(loop.index, I64(2)), I64(1)), 2)
        with builder.if_then(builder.trunc(lines, ir.IntType(1))):
            add(builder.sub(lines, I64(1)), 0)
        total = builder.add(builder.load(chains[0]), builder.load(chains[1]))
        total = builder.add(total, builder.add(builder.load(chains[2]), builder.load(chains[3])))
        b.store(total, b.address(5, I64(0)), 4)
        return context.get_dummy_value()

    i = types.int64
    return types.void(plane, i, i, words, i, out), generate


def reaches_twin(sums, at, factor, init, scale, bias, panel, threshold, inverse):
    with np.errstate(all="ignore"):
        values = (sums.reshape(-1)[at : at + LANES] * factor + init).astype(np.float32) * scale[panel]
        values = values + bias[panel] * np.float32(inverse)
        return int(np.dot(~(values < np.float32(threshold)), 1 << np.arange(LANES)))


@vector_function(reaches_twin)
def reaches(typing_context, sums, at, factor, init, scale, bias, panel, threshold, inverse):
    """The lanes, as bits, whose upper bound reaches the threshold; NaN, from an overflow, counts as reaching it.

    Bit i: not ((factor * sums[at + i] + init) * scale[panel, i] + bias[panel, i] * inverse < threshold).
    sums: int32; scale, bias: float32 [panels, 16]. With `inverse` 0 the biases are not read.
    """

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        _, at, factor, init, _, _, panel, threshold, inverse = arguments
        row = builder.mul(panel, I64(LANES))
        sums = b.load(INTS, b.address(0, at), 4)
        total = builder.add(builder.mul(sums, b.splat(factor)), b.splat(init))
        cell = cgutils.alloca_once(builder, FLOATS)
        builder.store(builder.fmul(builder.sitofp(total, FLOATS), b.load(FLOATS, b.address(4, row), 4)), cell)
        with builder.if_then(builder.fcmp_unordered("!=", inverse, F32(0.0))):
            bias = b.load(FLOATS, b.address(5, row), 4)
            builder.store(b.call("llvm.fmuladd.v16f32", FLOATS, bias, b.splat(inverse), builder.load(cell)), cell)
        mask = builder.fcmp_unordered(">=", builder.load(cell), b.splat(threshold))
        return builder.zext(builder.bitcast(mask, I16), I64)

    i, f = types.int64, types.float32
    return types.int64(sums, i, types.int32, types.int32, scale, bias, i, f, f), generate
