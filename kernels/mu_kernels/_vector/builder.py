"""LLVM code by hand, for vector instructions that plain loops do not compile to.

A function decorated by `vector_function(twin)` is a Numba intrinsic; with the JIT off (`NUMBA_DISABLE_JIT=1`) it is the
NumPy function `twin`, which computes the same.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from mu_kernels._vector.cpu import JIT_OFF, features

LANES = 16  # items in a panel, numbers in a vector

I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
INTS, FLOATS, LINE = ir.VectorType(I32, LANES), ir.VectorType(F32, LANES), ir.VectorType(I8, 64)


def vector_function(twin: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator: the intrinsic, or `twin` with the JIT off."""

    def choose(function: Callable[..., Any]) -> Any:
        return twin if JIT_OFF else intrinsic(function)

    return choose


class Builder:
    """Typed loads and stores at elements of arrays, vectors of one number, and products of bytes."""

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
