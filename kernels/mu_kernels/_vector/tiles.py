"""Products of small integers for many queries: tiles of 32 queries by 32 items.

Where the CPU has AMX, one `tdpbsud` multiplies 16 queries with 16 items; elsewhere the sums come from the instructions
of `panels`, with as many of them in registers as there are.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mu_kernels._vector.builder import F32, FLOATS, I8, I16, I32, I64, INTS, LANES, LINE, Builder, vector_function
from mu_kernels._vector.cpu import features
from mu_kernels._vector.panels import reaches_twin

TILE_QUERIES = 32  # queries that `tile_products` takes at once
TILE_PANELS = 2  # and panels


def _tile_products_twin(codes, panel, n_words, words, query, init, sums, amx, chunk_words):
    for half in range(TILE_PANELS):
        line = codes[panel + half].view(np.uint8).reshape(n_words, LANES, 4).astype(np.int32)
        word = words[query : query + TILE_QUERIES].view(np.int8).reshape(TILE_QUERIES, n_words, 4).astype(np.int32)
        total = np.einsum("wij,qwj->qi", line, word) + init[query : query + TILE_QUERIES]
        sums.reshape(TILE_PANELS, TILE_QUERIES, LANES)[half] = total


@vector_function(_tile_products_twin)
def tile_products(typing_context, codes, panel, n_words, words, query, init, sums, amx, chunk_words):
    """sums[p, q, i] = init[query + q, i] + sum_d codes[panel + p, i, d] * query[query + q, d]; 2 panels, 32 queries.

    codes: uint32 [panels, words, 16], a line the codes (bytes) of four dimensions of 16 items; words: int32 [queries,
    n_words]; init: int32 [queries, 16]; sums: int32 [2, 32, 16]. With `amx` (which `amx_begin` must precede) in chunks
    of `chunk_words` words.
    """

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        _, panel, n_words, _, query, _, _, amx, chunk_words = arguments
        panel_bytes = builder.mul(n_words, I64(64))
        codes = b.address(0, builder.mul(builder.mul(panel, n_words), I64(LANES)))
        words = b.address(3, builder.mul(query, n_words))
        word_bytes = builder.mul(n_words, I64(4))
        init = b.address(5, builder.mul(query, I64(LANES)))
        sums = b.address(6, I64(0))
        vnni = "avx512vnni" in features()
        rows = 8 if vnni else 2  # sums in registers: 2 * rows of the 32 (or 16 half as wide) that there are

        def plain():
            with cgutils.for_range(builder, I64(TILE_QUERIES // rows)) as outer:
                first = builder.mul(outer.index, I64(rows))
                cells = []
                for r in range(rows):
                    row = builder.add(first, I64(r))
                    start = b.load(INTS, builder.add(init, builder.mul(row, I64(64))), 4)
                    cells.append([cgutils.alloca_once(builder, INTS) for _ in range(TILE_PANELS)])
                    for cell in cells[-1]:
                        builder.store(start, cell)
                word_start = builder.add(words, builder.mul(first, word_bytes))
                with cgutils.for_range(builder, n_words) as inner:
                    line_address = builder.add(codes, builder.mul(inner.index, I64(64)))
                    lines = [
                        b.load(LINE, builder.add(line_address, builder.mul(panel_bytes, I64(p))), 64)
                        for p in range(TILE_PANELS)
                    ]
                    at = builder.add(word_start, builder.mul(inner.index, I64(4)))
                    for r in range(rows):
                        word = b.splat(b.load(I32, builder.add(at, builder.mul(word_bytes, I64(r))), 4))
                        for p in range(TILE_PANELS):
                            builder.store(b.multiply_add(builder.load(cells[r][p]), lines[p], word), cells[r][p])
                for r in range(rows):
                    row = builder.mul(builder.add(first, I64(r)), I64(64))
                    for p in range(TILE_PANELS):
                        to = builder.add(builder.add(sums, row), I64(p * 64 * TILE_QUERIES))
                        b.store(builder.load(cells[r][p]), to, 4)

        def tiles():
            nothing = ir.VoidType()

            def pointer(address):
                return builder.inttoptr(address, ir.PointerType(I8))

            def load(tile, address, stride):
                b.call("llvm.x86.tileloadd64", nothing, I8(tile), pointer(address), stride)

            for q in range(2):  # tiles 0-3: sums; 4, 5: queries; 6, 7: items
                for p in range(TILE_PANELS):
                    load(2 * q + p, builder.add(init, I64(q * 1024)), I64(64))
            with cgutils.for_range(builder, builder.udiv(n_words, chunk_words)) as loop:
                done = builder.mul(loop.index, chunk_words)
                for q in range(2):
                    start = builder.add(words, builder.mul(word_bytes, I64(16 * q)))
                    load(4 + q, builder.add(start, builder.mul(done, I64(4))), word_bytes)
                for p in range(TILE_PANELS):
                    start = builder.add(codes, builder.mul(panel_bytes, I64(p)))
                    load(6 + p, builder.add(start, builder.mul(done, I64(64))), I64(64))
                for q in range(2):
                    for p in range(TILE_PANELS):
                        b.call("llvm.x86.tdpbsud", nothing, I8(2 * q + p), I8(4 + q), I8(6 + p))
            for q in range(2):
                for p in range(TILE_PANELS):
                    to = pointer(builder.add(sums, I64(p * 64 * TILE_QUERIES + q * 1024)))
                    b.call("llvm.x86.tilestored64", nothing, I8(2 * q + p), to, I64(64))

        if {"amx-int8", "amx-tile"} <= features():
            with builder.if_else(amx) as (then, otherwise):
                with then:
                    tiles()
                with otherwise:
                    plain()
        else:
            plain()
        return context.get_dummy_value()

    i = types.int64
    return types.void(codes, i, i, words, i, init, sums, types.boolean, i), generate


def _tile_reaches_twin(sums, scale, bias, panel, thresholds, inverses, query, masks):
    zero, one = np.int32(0), np.int32(1)
    for q in range(TILE_QUERIES):
        masks[q] = 0
        for half in range(TILE_PANELS):
            at, numbers = (half * TILE_QUERIES + q) * LANES, (thresholds[query + q], inverses[query + q])
            masks[q] |= reaches_twin(sums, at, one, zero, scale, bias, panel + half, *numbers) << LANES * half


@vector_function(_tile_reaches_twin)
def tile_reaches(typing_context, sums, scale, bias, panel, thresholds, inverses, query, masks):
    """`reaches` for what `tile_products` wrote: masks[q], uint32 [32], has bit 16 p + i for item i of panel p."""

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        _, _, _, panel, _, _, query, _ = arguments
        panels = [builder.mul(builder.add(panel, I64(p)), I64(LANES)) for p in range(TILE_PANELS)]
        scales = [b.load(FLOATS, b.address(1, row), 4) for row in panels]
        biases = [b.load(FLOATS, b.address(2, row), 4) for row in panels]
        sums, masks = b.address(0, I64(0)), b.address(7, I64(0))
        with cgutils.for_range(builder, I64(TILE_QUERIES)) as loop:
            at = builder.add(query, loop.index)
            threshold = b.splat(b.load(F32, b.address(4, at), 4))
            inverse = b.splat(b.load(F32, b.address(5, at), 4))
            row = builder.add(sums, builder.mul(loop.index, I64(64)))
            both = I32(0)
            for p in range(TILE_PANELS):
                total = b.load(INTS, builder.add(row, I64(p * 64 * TILE_QUERIES)), 4)
                value = builder.fmul(builder.sitofp(total, FLOATS), scales[p])
                value = b.call("llvm.fmuladd.v16f32", FLOATS, biases[p], inverse, value)
                mask = builder.bitcast(builder.fcmp_unordered(">=", value, threshold), I16)
                both = builder.or_(both, builder.shl(builder.zext(mask, I32), I32(LANES * p)))
            b.store(both, builder.add(masks, builder.mul(loop.index, I64(4))), 4)
        return context.get_dummy_value()

    i = types.int64
    return types.void(sums, scale, bias, i, thresholds, inverses, i, masks), generate


def _amx_begin_twin(tile_shapes):
    raise AssertionError("no tiles without compiled code")


@vector_function(_amx_begin_twin)
def amx_begin(typing_context, tile_shapes):
    """Gives the tiles of this thread their shapes (`tile_shapes`, uint8 [64], as `amx_tile_shapes` makes it)."""

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
        if {"amx-int8", "amx-tile"} <= features():
            pointer = builder.inttoptr(b.address(0, I64(0)), ir.PointerType(I8))
            b.call("llvm.x86.ldtilecfg", ir.VoidType(), pointer)
        return context.get_dummy_value()

    return types.void(tile_shapes), generate


@vector_function(_amx_begin_twin)
def amx_end(typing_context):
    """Frees the tiles: the kernel need not save them when it switches threads."""

    def generate(context, builder, signature, arguments):
        if {"amx-int8", "amx-tile"} <= features():
            Builder(context, builder, signature, arguments).call("llvm.x86.tilerelease", ir.VoidType())
        return context.get_dummy_value()

    return types.void(), generate


def amx_tile_shapes(chunk_words: int) -> np.ndarray:
    """uint8 [64] for `amx_begin`: palette 1, then each tile's bytes a row and its rows (Intel SDM, LDTILECFG)."""
    shapes = np.zeros(64, np.uint8)
    shapes[0] = 1
    row_bytes = shapes[16:32].view(np.uint16)
    row_bytes[:4], shapes[48:52] = 64, 16  # sums
    row_bytes[4:6], shapes[52:54] = 4 * chunk_words, 16  # queries
    row_bytes[6:8], shapes[54:56] = 64, chunk_words  # items
    return shapes
