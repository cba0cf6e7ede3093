"""Calls of compiled kernels from `jax.jit`: the FFI target on CPU, the twin in plain JAX elsewhere."""

import ctypes
import functools
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.ffi
import jax.numpy as jnp
import numba
import numpy as np

from mu_kernels._ffi_cpu.gathered_dot import gathered_dot_gradients, gathered_dot_scores
from mu_kernels._ffi_cpu.neighbour_sums import neighbour_sums
from mu_kernels._ffi_cpu.rank_of import rank_of
from mu_kernels._ffi_cpu.sample_negatives import sample_negatives
from mu_kernels._ffi_cpu.top_k import top_k
from mu_kernels.compile import address_kernel

KNOWN_API_VERSIONS = ((0, 1), (0, 2), (0, 3), (0, 5))  # those with the layouts in `_ffi_cpu.frame`
HANDLERS = {
    handler.__name__: handler
    for handler in (gathered_dot_scores, gathered_dot_gradients, neighbour_sums, top_k, rank_of, sample_negatives)
}


@functools.cache
def api_version() -> tuple[int, int]:
    """(major, minor) of the FFI that the installed jaxlib speaks, read from the header it ships."""
    header = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text(encoding="utf-8")
    parts = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", header) for part in ("MAJOR", "MINOR")]
    if parts[0] is None or parts[1] is None:
        raise RuntimeError("jaxlib's c_api.h does not say its XLA_FFI_API version")
    return int(parts[0][1]), int(parts[1][1])


@functools.cache
def known_version() -> bool:
    """Whether CPU calls are possible; False, with a warning, where jaxlib's FFI is not one we know."""
    if numba.config.DISABLE_JIT:  # pyright: ignore
        return False
    is_known = api_version() in KNOWN_API_VERSIONS
    if not is_known:
        warnings.warn(
            f"mu_kernels.xla knows the XLA FFI versions {KNOWN_API_VERSIONS}; jaxlib has {api_version()}: "
            "its kernels run as plain JAX, which is slower on CPU",
            stacklevel=4,
        )
    return is_known


@functools.cache
def _target(name: str) -> str:
    """Compiles a handler and registers it with XLA, once."""
    handler = address_kernel(HANDLERS[name])
    _HANDLERS_IN_USE.append(handler)
    target = f"mu_kernels_{name}"
    capsule = jax.ffi.pycapsule(ctypes.cast(handler.address, ctypes.c_void_p))
    jax.ffi.register_ffi_target(target, capsule, platform="cpu")
    return target


# Compiled functions live as long as their Python objects; XLA keeps addresses only.
_HANDLERS_IN_USE: list[object] = []


def either(name: str, twin: Callable[..., Any], *arguments: jax.Array) -> Any:
    """The FFI call where the program runs on a CPU, its twin elsewhere; the twin says what the results look like."""
    if not known_version():
        return twin(*arguments)
    call = jax.ffi.ffi_call(_target(name), jax.eval_shape(twin, *arguments), vmap_method="sequential")
    return jax.lax.platform_dependent(*arguments, cpu=call, default=twin)


def by_rows(function: Callable[..., Any], n_shared: int) -> Callable[..., Any]:
    """`function(*shared, *rows)` whose `vmap` over `rows` is one call with all rows; over `shared` calls in turn."""
    mapped = jax.custom_batching.custom_vmap(function)

    @mapped.def_vmap
    def fold(size: int, batched: Any, *arguments: jax.Array) -> Any:
        if any(batched[:n_shared]):
            moving = [argument for argument, moves in zip(arguments, batched, strict=True) if moves]

            def one(some: list[jax.Array]) -> Any:
                rest = iter(some)
                pairs = zip(arguments, batched, strict=True)
                return mapped(*(next(rest) if moves else argument for argument, moves in pairs))

            results = jax.lax.map(one, moving)
        else:
            rows = [
                argument if moves else jnp.broadcast_to(argument, (size, *argument.shape))
                for argument, moves in zip(arguments[n_shared:], batched[n_shared:], strict=True)
            ]
            n_rows = rows[0].shape[1]
            flat = [row.reshape(size * n_rows, *row.shape[2:]) for row in rows]
            results = jax.tree.map(
                lambda array: array.reshape(size, n_rows, *array.shape[1:]), mapped(*arguments[:n_shared], *flat)
            )
        return results, jax.tree.map(lambda _: True, results)

    return mapped


def typed(name: str, array: Any, dtype: str, axes: int) -> jax.Array:
    """`array`; refuses another type or number of axes, naming the argument."""
    if not isinstance(array, jax.Array | np.ndarray | np.generic):
        raise TypeError(f"{name} is {type(array).__name__}; it must be an array of {dtype}")
    if array.ndim != axes or array.dtype != dtype:
        raise TypeError(f"{name} is {array.dtype} of {array.ndim} axes; it must be {dtype} of {axes}")
    return jnp.asarray(array)


def _varying(array: jax.Array) -> frozenset[str]:
    """Axes of a mesh over which an array differs, inside `jax.shard_map`."""
    kind = jax.typeof(array)
    return kind.manual_axis_type.varying if hasattr(kind, "manual_axis_type") else kind.vma  # JAX before 0.10.2


def alike(*arrays: jax.Array) -> list[jax.Array]:
    """The arrays, each said to differ over the axes over which one does: so do all results."""
    axes = frozenset().union(*map(_varying, arrays))
    missing = [tuple(axes - _varying(array)) for array in arrays]
    return [
        jax.lax.pcast(array, lacks, to="varying") if lacks else array
        for array, lacks in zip(arrays, missing, strict=True)
    ]
