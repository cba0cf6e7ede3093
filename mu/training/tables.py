"""Tables of rows (tracks, listeners) trained sparsely: a step reads and writes only the rows its batch names.

A table is `{'rows': float32 [V, D], slot: float32 [V, ...]}`. The host says which distinct ids a batch holds
(`ids`, sorted, padded with ids >= V); the step gathers those rows, differentiates them as a dense array and puts
them back in place (the state is donated). What a step costs does not depend on V.

A row optimizer is a pair of functions, as in optax, over the gathered rows only:
  init(rows) -> slots                           dict of arrays with the leading axis of `rows`
  update(rows, gradient, slots, step) -> (rows, slots)
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mu.protocols import TableSpec
from mu.ranges import Positive, Rate

Slots = dict[str, jax.Array]
Schedule = Callable[[jax.Array], jax.Array]


class RowOptimizer(NamedTuple):
    """An optimizer of gathered rows: `init` makes their slots, `update` changes rows and slots."""

    init: Callable[[jax.Array], Slots]
    update: Callable[[jax.Array, jax.Array, Slots, jax.Array], tuple[jax.Array, Slots]]


def _rate(learning_rate: float | Schedule, step: jax.Array) -> jax.Array:
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply floats by the int32 step
        return jnp.asarray(learning_rate(step) if callable(learning_rate) else learning_rate, jnp.float32)


def row_adagrad(learning_rate: Positive | Schedule, epsilon: Positive = 1e-8) -> RowOptimizer:
    """Adagrad with one accumulator a row: a += mean_d g_d^2; x -= rate g / sqrt(a + epsilon).

    One number a row instead of D (as in DLRM and TorchRec); 4 bytes a row of extra memory.

    Args:
      learning_rate: a number or a function of the step.
      epsilon: keeps the root away from zero.
    """

    def init(rows: jax.Array) -> Slots:
        return {"accumulator": jnp.zeros(rows.shape[:1], rows.dtype)}

    def update(rows: jax.Array, gradient: jax.Array, slots: Slots, step: jax.Array) -> tuple[jax.Array, Slots]:
        accumulator = slots["accumulator"] + jnp.mean(jnp.square(gradient), axis=-1)
        scale = _rate(learning_rate, step) * jax.lax.rsqrt(accumulator + epsilon)
        return rows - scale[:, None] * gradient, {"accumulator": accumulator}

    return RowOptimizer(init, update)


def lazy_adam(
    learning_rate: Positive | Schedule, b1: Rate = 0.9, b2: Rate = 0.999, epsilon: Positive = 1e-8
) -> RowOptimizer:
    """Adam (Kingma & Ba 2015) whose moments move only when their row is in the batch.

    The bias correction counts each row's own updates, so a row's first update has the size of the rate however
    late it comes.

    Args:
      learning_rate: a number or a function of the step.
      b1: decay of the mean.
      b2: decay of the square.
      epsilon: added to the root.
    """

    def init(rows: jax.Array) -> Slots:
        return {
            "mean": jnp.zeros_like(rows),
            "square": jnp.zeros_like(rows),
            "count": jnp.zeros(rows.shape[:1], rows.dtype),
        }

    def update(rows: jax.Array, gradient: jax.Array, slots: Slots, step: jax.Array) -> tuple[jax.Array, Slots]:
        count = slots["count"] + 1
        mean = b1 * slots["mean"] + (1 - b1) * gradient
        square = b2 * slots["square"] + (1 - b2) * jnp.square(gradient)
        corrected = mean / (1 - b1 ** count[:, None])
        root = jnp.sqrt(square / (1 - b2 ** count[:, None])) + epsilon
        rows = rows - _rate(learning_rate, step) * corrected / root
        return rows, {"mean": mean, "square": square, "count": count}

    return RowOptimizer(init, update)


def create(spec: TableSpec, n_rows: int, key: jax.Array) -> jax.Array:
    """float32 [n_rows, dim]: normal with the table's scale."""
    if spec.scale == 0.0:
        return jnp.zeros((n_rows, spec.dim), jnp.float32)
    return spec.scale * jax.random.normal(key, (n_rows, spec.dim), jnp.float32)


def gather(table: Mapping[str, jax.Array], ids: jax.Array) -> dict[str, jax.Array]:
    """The rows and slots of `ids` (int32 [L], sorted, distinct); zeros where an id is past the table's end."""
    return jax.lax.platform_dependent(dict(table), ids, cpu=_gather_on_cpu, default=_gather)


def _gather(table: dict[str, jax.Array], ids: jax.Array) -> dict[str, jax.Array]:
    return {
        name: array.at[ids].get(mode="fill", fill_value=0, unique_indices=True, indices_are_sorted=True)
        for name, array in table.items()
    }


def _gather_on_cpu(table: dict[str, jax.Array], ids: jax.Array) -> dict[str, jax.Array]:
    """As `_gather`, in a form that XLA compiles well for CPU (jaxlib 0.10).

    A gather that has several readers, as rows have, gets a loop of its own that copies number by number and waits
    for each row's memory before it asks for the next. Multiplied by something in the same loop it is vectorised and the
    rows' waits overlap: 16,384 rows of 64 out of 5 million in 1 ms instead of 5 to 10. The `cond` keeps XLA from
    moving the product into the readers and leaving the gather alone again.
    """

    def rows() -> dict[str, jax.Array]:
        gathered = {}
        for name, array in table.items():
            there = (ids < array.shape[0]).astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))
            gathered[name] = there * array.at[ids].get(mode="clip", unique_indices=True, indices_are_sorted=True)
        return gathered

    def nothing() -> dict[str, jax.Array]:
        return {name: jnp.zeros(ids.shape + array.shape[1:], array.dtype) for name, array in table.items()}

    n_rows = next(iter(table.values())).shape[0]
    return jax.lax.cond(ids[0] < n_rows, rows, nothing)  # sorted: a first id past the end leaves no real one


def scatter(table: Mapping[str, jax.Array], ids: jax.Array, values: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """The table with `values` at `ids`; ids past its end are dropped."""
    return {
        name: array.at[ids].set(values[name], mode="drop", unique_indices=True, indices_are_sorted=True)
        for name, array in table.items()
    }
