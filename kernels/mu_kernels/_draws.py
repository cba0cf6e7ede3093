"""What every call that draws does: check its counters, count its rows, run a kernel over them."""

import operator
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from mu_kernels.threads import run_rows

WhenEmpty = Literal["raise", "count"]


def counters(n: int, seed: int, step: int, first_row: int) -> tuple[int, tuple[np.uint64, np.uint64, np.uint64]]:
    """The checked number of columns, and seed, step and first row as words of 64 bits."""
    for name, value in (("n", n), ("step", step), ("first_row", first_row)):
        if operator.index(value) < 0:
            raise ValueError(f"{name} is {value}; it must not be negative")
    if operator.index(n) >= 2**31:
        raise ValueError(f"n is {n}; a row holds fewer than 2**31 draws")
    seed_word, step_word, row_word = (np.uint64(operator.index(value) % 2**64) for value in (seed, step, first_row))
    return operator.index(n), (seed_word, step_word, row_word)


def counts_or_raise(users: np.ndarray, drawable: np.ndarray, n: int, when_empty: WhenEmpty) -> np.ndarray:
    """int32 [B]: n where there is something to draw, else 0 or an error."""
    if when_empty not in ("raise", "count"):
        raise ValueError(f"when_empty={when_empty!r}; known: raise, count")
    empty = (users >= 0) & ~drawable
    if when_empty == "raise" and empty.any():
        row = int(np.argmax(empty))
        raise ValueError(
            f"user {users[row]} (users[{row}]) has nothing left to draw: every item is excluded, of weight 0 or not "
            "yet out; leave such rows out, or let when_empty='count' give them count 0"
        )
    return np.where(drawable, n, 0).astype(np.int32)


def clear(counts: np.ndarray, n: int, *arrays: np.ndarray) -> None:
    """Zeros in rows without draws."""
    if n and not counts.all():
        for array in arrays:
            array[counts == 0] = 0


def run_draws(kernel: Callable[..., Any], shape: tuple[int, ...], threads: int | None, *arguments: Any) -> None:
    """`run_rows` for kernels with `shape` draws; hashes wrap around, of which NumPy warns when the JIT is off."""

    def quietly(*all_arguments: Any) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            kernel(*all_arguments)

    run_rows(quietly, shape[0], threads, *arguments, min_rows=max(1, 8192 // max(shape[1], 1)))
