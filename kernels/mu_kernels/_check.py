"""Inputs are checked once, at the public functions; behind them kernels see one type of array only."""

from typing import Any

import numpy as np


def read_only(values: Any, dtype: Any, name: str, ndim: int = 1) -> np.ndarray:
    """`values` as a read-only C-contiguous array of `dtype`; copied only where type or layout differ.

    Read-only, because memory-mapped logs are, and Numba compiles a kernel again for each mixture of writable
    and read-only arguments.

    Raises:
      TypeError: the values are of another kind (floats where integers are due).
      ValueError: wrong number of axes, or an integer that `dtype` cannot hold; names the argument.
    """
    array = np.asarray(values)
    dtype = np.dtype(dtype)
    if array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; it must have {ndim} axes")
    if array.size:
        if not (array.dtype.kind in "iu" if dtype.kind == "i" else is_floating(array.dtype)):
            kind = "integers" if dtype.kind == "i" else "floating-point numbers"
            raise TypeError(f"{name} is of type {array.dtype}; it must hold {kind}")
        if dtype.kind == "i" and not np.can_cast(array.dtype, dtype):
            limits = np.iinfo(dtype)
            low, high = int(array.min()), int(array.max())
            if low < limits.min or high > limits.max:
                raise ValueError(f"{name} holds {low if low < limits.min else high}, which {dtype} cannot hold")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and `finite` names it
        array = np.ascontiguousarray(array, dtype=dtype).view()
    array.flags.writeable = False
    return array


def is_floating(dtype: np.dtype) -> bool:
    """Whether numbers of this type are floating-point numbers; to NumPy those of JAX (bfloat16, float8) are not."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def in_range(array: np.ndarray, low: int, high: int, name: str, what: str) -> None:
    """Refuses values outside `low <= value < high`, naming the first."""
    if array.size and (int(array.min()) < low or int(array.max()) >= high):
        refuse_where((array < low) | (array >= high), array, name, f"{what} lie in [{low}, {high})")


def finite(array: np.ndarray, name: str) -> None:
    """Refuses NaN and infinities in `array` [rows, ...], naming the first."""
    refuse_where(~np.isfinite(array), array, name, "every number must be finite")


def refuse_where(wrong: np.ndarray, array: np.ndarray, name: str, rule: str) -> None:
    """Refuses numbers of `array` that are wrong (bool of its shape), naming the first: 'name[2, 0] is nan; rule'."""
    if wrong.any():
        where = np.unravel_index(int(np.argmax(wrong)), array.shape)
        raise ValueError(f"{name}[{', '.join(map(str, where))}] is {array[where]}; {rule}")
