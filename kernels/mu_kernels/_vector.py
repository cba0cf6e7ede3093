"""Products of small integers, 16 items at a time: the vector instructions that plain loops do not compile to.

Items lie in panels of 16, dimensions in words of four bytes: one 64-byte line holds a word of each item, so one
instruction multiplies a word of the query with 16 items and adds the four products to 16 sums. That instruction is
AVX-512 VNNI's `vpdpbusd`; other CPUs get the same sums from 16-bit products in portable LLVM IR (`pmaddwd` on AVX2).
Where the CPU has AMX, whole tiles of 16 queries by 16 items come from one `tdpbsud`.

The instructions are chosen from the features Numba compiles for (`NUMBA_CPU_FEATURES`), so either path can be forced.
With the JIT off (`NUMBA_DISABLE_JIT=1`) each function is the NumPy expression beside it.

Kernels that use these are cached under the time of their own file: whoever changes this file touches `_scan.py`,
`_select.py`, `_exact_ranks.py` and `_inside_jit.py` too.
"""

import ctypes
import functools
import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

JIT_OFF = bool(config.DISABLE_JIT)  # pyright: ignore[reportAttributeAccessIssue]  (set from the environment)
LANES = 16  # items in a panel
TILE_QUERIES = 32  # queries that `tile_products` takes at once
TILE_PANELS = 2  # and panels

I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
INTS, FLOATS, LINE = ir.VectorType(I32, LANES), ir.VectorType(F32, LANES), ir.VectorType(I8, 64)


@functools.cache
def features() -> frozenset[str]:
    """The CPU features that Numba compiles for: `NUMBA_CPU_FEATURES`, else those of this machine."""
    forced = config.CPU_FEATURES  # pyright: ignore[reportAttributeAccessIssue]
    if forced is not None:
        return frozenset(word[1:] for word in forced.split(",") if word.startswith("+"))
    return frozenset(name for name, present in llvmlite.binding.get_host_cpu_features().items() if present)


@functools.cache
def amx_granted() -> bool:
    """Whether this process may use AMX tiles: the CPU has them and Linux allows them, which it does when asked."""
    if JIT_OFF or platform.system() != "Linux" or not {"amx-int8", "amx-tile"} <= features():
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18  # Linux, asm/prctl.h and asm/fpu/types.h
    return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0


def instructions() -> str:
    """Which path scans take: "amx", "vnni" or "portable"."""
    if amx_granted():
        return "amx"
    return "vnni" if "avx512vnni" in features() and not JIT_OFF else "portable"


def _vector_function(twin: Callable[..., Any]) -> Callable[..., Any]:
    """The decorated intrinsic, or, with the JIT off, `twin`, which computes the same."""

    def choose(function: Callable[..., Any]) -> Any:
        return twin if JIT_OFF else intrinsic(function)

    return choose


class _Builder:
    """What the functions below need of llvmlite: typed loads and stores at an element of an array."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        self.signature, self.arguments = signature, arguments

    def address(self, number: int, offset: ir.Value) -> ir.Value:
        """The address of element `offset` (i64) of argument `number`, an array."""
        kind = self.signature.args[number]
        data = self.context.make_array(kind)(self.context, self.builder, self.arguments[number]).data
        size = self.context.get_abi_sizeof(self.context.get_data_type(kind.dtype))
        start = self.builder.ptrtoint(data, I64)
        return self.builder.add(start, self.builder.mul(offset, I64(size)))

    def load(self, kind: ir.Type, address: ir.Value, align: int) -> ir.Value:
        pointer = self.builder.inttoptr(address, ir.PointerType(kind))
        return self.builder.load(pointer, align=align)

    def store(self, value: Any, address: ir.Value, align: int) -> None:
        self.builder.store(value, self.builder.inttoptr(address, ir.PointerType(value.type)), align=align)

    def call(self, name: str, result: ir.Type, *arguments: Any) -> ir.Value:
        """Calls an LLVM intrinsic."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def splat(self, value: Any) -> ir.Value:
        kind = ir.VectorType(value.type, LANES)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))

    def multiply_add(self, sums: ir.Value, line: ir.Value, word: ir.Value) -> ir.Value:
        """sums[i] + sum_j line[i, j] * word[i, j] for 16 items: line unsigned, word (16 x i32) four signed bytes."""
        build = self.builder
        if "avx512vnni" in features():
            return self.call("llvm.x86.avx512.vpdpbusd.512", INTS, sums, build.bitcast(line, INTS), word)
        half = ir.VectorType(I16, 32)

        def constant(value: int) -> ir.Value:
            return ir.Constant(half, [value] * 32)

        def pairs(a: ir.Value, b: ir.Value) -> ir.Value:
            """Products of 16-bit numbers, neighbours added: LLVM makes `pmaddwd` of it."""
            wide = ir.VectorType(I32, 32)
            product = build.mul(build.sext(a, wide), build.sext(b, wide))
            even = ir.Constant(ir.VectorType(I32, LANES), list(range(0, 32, 2)))
            odd = ir.Constant(ir.VectorType(I32, LANES), list(range(1, 32, 2)))
            return build.add(build.shuffle_vector(product, product, even), build.shuffle_vector(product, product, odd))

        line, word = build.bitcast(line, half), build.bitcast(word, half)
        line_low, line_high = build.and_(line, constant(255)), build.lshr(line, constant(8))
        word_low, word_high = build.ashr(build.shl(word, constant(8)), constant(8)), build.ashr(word, constant(8))
        return build.add(build.add(sums, pairs(line_low, word_low)), pairs(line_high, word_high))


def _panel_dots_twin(plane, panel, lines, words, query, out):
    line = plane[panel].view(np.uint8).reshape(lines, LANES, 4).astype(np.int32)
    word = words[query].view(np.int8).reshape(2, lines, 4).astype(np.int32)
    out[:] = np.einsum("lij,lj->i", line & 15, word[0]) + np.einsum("lij,lj->i", line >> 4, word[1])


@_vector_function(_panel_dots_twin)
def panel_dots(typing_context, plane, panel, lines, words, query, out):
    """out[i] = sum_d nibble[i, d] * query[d], over the four-bit codes of a panel.

    plane: uint32 [panels, lines, 16]; line number l holds, of each item, word l in its low nibbles and word
    lines + l in its high ones. words: int32 [queries, 2 * lines], four signed bytes each. out: int32 [16].
    """

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
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


def _reaches_twin(sums, at, factor, init, scale, bias, panel, threshold, inverse):
    with np.errstate(all="ignore"):
        values = (sums.reshape(-1)[at : at + LANES] * factor + init).astype(np.float32) * scale[panel]
        values = values + bias[panel] * np.float32(inverse)
        return int(np.dot(~(values < np.float32(threshold)), 1 << np.arange(LANES)))


@_vector_function(_reaches_twin)
def reaches(typing_context, sums, at, factor, init, scale, bias, panel, threshold, inverse):
    """The lanes, as bits, whose upper bound reaches the threshold; NaN, from an overflow, counts as reaching it.

    Bit i: not ((factor * sums[at + i] + init) * scale[panel, i] + bias[panel, i] * inverse < threshold).
    sums: int32; scale, bias: float32 [panels, 16]. With `inverse` 0 the biases are not read.
    """

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
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


def _tile_reaches_twin(sums, scale, bias, panel, thresholds, inverses, query, masks):
    zero, one = np.int32(0), np.int32(1)
    for q in range(TILE_QUERIES):
        masks[q] = 0
        for half in range(TILE_PANELS):
            at, numbers = (half * TILE_QUERIES + q) * LANES, (thresholds[query + q], inverses[query + q])
            masks[q] |= _reaches_twin(sums, at, one, zero, scale, bias, panel + half, *numbers) << LANES * half


@_vector_function(_tile_reaches_twin)
def tile_reaches(typing_context, sums, scale, bias, panel, thresholds, inverses, query, masks):
    """`reaches` for what `tile_products` wrote: masks[q], uint32 [32], has bit 16 p + i for item i of panel p."""

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
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


def _lowest_twin(mask):
    return (int(mask) & -int(mask)).bit_length() - 1


@_vector_function(_lowest_twin)
def lowest(typing_context, mask):
    """The number of the lowest bit set; `mask` is not 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


def _prefetch_twin(array, start, n_bytes):
    """Without compiled code there is nothing to hurry."""


@_vector_function(_prefetch_twin)
def prefetch(typing_context, array, start, n_bytes):
    """Asks for `n_bytes` from element `start` of an array to be brought into the cache."""

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
        _, start, n_bytes = arguments
        first = b.address(0, start)
        lines = builder.lshr(builder.add(n_bytes, I64(63)), I64(6))
        kind = ir.FunctionType(ir.VoidType(), [ir.PointerType(I8), I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range(builder, lines) as loop:
            address = builder.add(first, builder.mul(loop.index, I64(64)))
            builder.call(function, [builder.inttoptr(address, ir.PointerType(I8)), I32(0), I32(2), I32(1)])
        return context.get_dummy_value()

    i = types.int64
    return types.void(array, i, i), generate


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


@_vector_function(_dot_twin)
def dot(typing_context, queries, row, vectors, item, dim):
    """float64: <queries[row], vectors[item]>, both float32 [_, dim].

    Products of two float32 are exact in float64 and the order of the sum is fixed, so the result is the same bits on
    every CPU: 32 sums in turn, added up, then the last dim % 32 products one by one.
    """

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
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


def _tile_products_twin(codes, panel, n_words, words, query, init, sums, amx, chunk_words):
    for half in range(TILE_PANELS):
        line = codes[panel + half].view(np.uint8).reshape(n_words, LANES, 4).astype(np.int32)
        word = words[query : query + TILE_QUERIES].view(np.int8).reshape(TILE_QUERIES, n_words, 4).astype(np.int32)
        total = np.einsum("wij,qwj->qi", line, word) + init[query : query + TILE_QUERIES]
        sums.reshape(TILE_PANELS, TILE_QUERIES, LANES)[half] = total


@_vector_function(_tile_products_twin)
def tile_products(typing_context, codes, panel, n_words, words, query, init, sums, amx, chunk_words):
    """sums[p, q, i] = init[query + q, i] + sum_d codes[panel + p, i, d] * query[query + q, d]; 2 panels, 32 queries.

    codes: uint32 [panels, words, 16], a line the codes (bytes) of four dimensions of 16 items; words: int32 [queries,
    n_words]; init: int32 [queries, 16]; sums: int32 [2, 32, 16]. With `amx` (which `amx_begin` must precede) in chunks
    of `chunk_words` words.
    """

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
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


def _amx_begin_twin(tile_shapes):
    raise AssertionError("no tiles without compiled code")


@_vector_function(_amx_begin_twin)
def amx_begin(typing_context, tile_shapes):
    """Gives the tiles of this thread their shapes (`tile_shapes`, uint8 [64], as `amx_tile_shapes` makes it)."""

    def generate(context, builder, signature, arguments):
        b = _Builder(context, builder, signature, arguments)
        if {"amx-int8", "amx-tile"} <= features():
            pointer = builder.inttoptr(b.address(0, I64(0)), ir.PointerType(I8))
            b.call("llvm.x86.ldtilecfg", ir.VoidType(), pointer)
        return context.get_dummy_value()

    return types.void(tile_shapes), generate


@_vector_function(_amx_begin_twin)
def amx_end(typing_context):
    """Frees the tiles: the kernel need not save them when it switches threads."""

    def generate(context, builder, signature, arguments):
        if {"amx-int8", "amx-tile"} <= features():
            _Builder(context, builder, signature, arguments).call("llvm.x86.tilerelease", ir.VoidType())
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
