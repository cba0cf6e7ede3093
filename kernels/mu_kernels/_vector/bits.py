"""The lowest bit of a word, and the request for memory that is read soon."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mu_kernels._vector.builder import I8, I32, I64, Builder, vector_function


def _lowest_twin(mask):
    return (int(mask) & -int(mask)).bit_length() - 1


@vector_function(_lowest_twin)
def lowest(typing_context, mask):
    """The number of the lowest bit set; `mask` is not 0."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


def _prefetch_twin(array, start, n_bytes):
    """Without compiled code there is nothing to hurry."""


@vector_function(_prefetch_twin)
def prefetch(typing_context, array, start, n_bytes):
    """Asks for `n_bytes` from element `start` of an array to be brought into the cache."""

    def generate(context, builder, signature, arguments):
        b = Builder(context, builder, signature, arguments)
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
