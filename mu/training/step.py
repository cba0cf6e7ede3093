"""The train step: gather the batch's rows, differentiate, clip, update, put the rows back; one jitted function."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mu.training.tables import RowOptimizer, TableSpec, gather, scatter

State = dict[str, Any]
Batch = Mapping[str, Any]
# (params, stats, rows, batch, key) -> (loss, weights) of each example, the stats after it, and rows that were computed
LossFunction = Callable[[Any, Any, Mapping[str, jax.Array], Batch, jax.Array], tuple[jax.Array, jax.Array, Any, Any]]


def make_step(
    loss: LossFunction,
    optimizer: optax.GradientTransformation,
    specs: Mapping[str, TableSpec],
    row_optimizer: RowOptimizer | None,
    *,
    seed: int,
    clip_norm: float | None = None,
    microbatches: int = 1,
    ema_decay: float | None = None,
) -> Callable[[State, Batch], tuple[State, dict[str, jax.Array]]]:
    """Builds `step(state, batch) -> (state, metrics)`; the caller jits it and donates the state.

    The loss of a step is `sum(loss x weight) / sum(weight)` over the whole batch, so neither the number of
    devices nor `microbatches` changes it.

    Args:
      loss: per-example loss and weights, the running statistics afterwards, and new values of rows of
        `state['buffers']`, {name: rows}; sees the rows of all tables, indexed as the batch's indices say.
      optimizer: of the dense parameters (`state['params']`).
      specs: the model's tables.
      row_optimizer: of the tables' rows; None when the tables are dense parameters under `params['tables']`.
      seed: of the keys for dropout, `fold_in(key(seed), step)`.
      clip_norm: the gradient, rows included, is scaled down to this norm.
      microbatches: parts of a batch whose gradients are added; the batch's leading axis is a multiple of it. Running
        statistics, and rows that the loss computes anew, are those of one batch: with more than one microbatch there
        may be none.
      ema_decay: keeps `state['ema']`, a moving average of the dense parameters; at step n the decay is at most (1 + n)
        / (10 + n).

    Returns:
      The step. Its metrics: 'loss', 'grad_norm' (before clipping), 'weight' (sum of weights), 'finite' (bool).
    """

    def sums(
        trained: dict[str, Any], stats: Any, buffers: Any, batch: Batch, shared: Batch, key: jax.Array
    ) -> tuple[jax.Array, Any]:
        rows = trained["rows"] if row_optimizer is not None else trained["params"]["tables"]
        everything = {**batch, **shared}
        values, weights, stats, buffers = loss(trained["params"]["model"], stats, {**rows, **buffers}, everything, key)
        return jnp.sum(values * weights), (jnp.sum(weights), stats, buffers)

    def gradient_of(
        trained: dict[str, Any], stats: Any, buffers: Any, batch: Batch, shared: Batch, key: jax.Array
    ) -> tuple[jax.Array, jax.Array, Any, Any, dict[str, Any]]:
        """(sum of losses, sum of weights, new stats, rows computed anew, gradient of the sum)."""
        derivative = jax.value_and_grad(sums, has_aux=True)
        if microbatches == 1:
            (total, (weight, stats, buffers)), gradient = derivative(trained, stats, buffers, batch, shared, key)
            return total, weight, stats, buffers, gradient

        def split(x: jax.Array) -> jax.Array:
            # Every device keeps its own examples: microbatch m takes every n-th of them.
            return jnp.moveaxis(x.reshape(-1, microbatches, *x.shape[1:]), 1, 0)

        def add(carry: Any, part: tuple[Batch, jax.Array]) -> tuple[Any, None]:
            micro, number = part
            micro_gradient = derivative(trained, stats, buffers, micro, shared, jax.random.fold_in(key, number))
            return jax.tree.map(jnp.add, carry, micro_gradient), None

        if jax.tree.leaves(stats):
            raise ValueError(f"microbatches={microbatches}: statistics of a batch norm would be those of a microbatch")
        parts = (jax.tree.map(split, batch), jnp.arange(microbatches, dtype=jnp.int32))
        zero = ((jnp.float32(0), (jnp.float32(0), stats, {})), jax.tree.map(jnp.zeros_like, trained))
        ((total, (weight, _, _)), gradient), _ = jax.lax.scan(add, zero, parts)
        return total, weight, stats, {}, gradient

    def step(state: State, batch: Batch) -> tuple[State, dict[str, jax.Array]]:
        number = state["step"]
        key = jax.random.fold_in(jax.random.key(seed), number)
        ids = batch.get("ids", {})  # none where all tables are dense
        shared = batch.get("shared", {})
        examples = {name: array for name, array in batch.items() if name not in ("ids", "shared")}
        gathered = {name: gather(state["tables"][name], ids[specs[name].ids]) for name in state["tables"]}
        trained = {
            "params": state["params"],
            "rows": {name: table["rows"] for name, table in gathered.items()},
        }
        buffers = dict(state.get("buffers", {}))
        if row_optimizer is not None:
            buffers = {name: gather({"rows": rows}, ids[specs[name].ids])["rows"] for name, rows in buffers.items()}
        total, weight, stats, computed, gradient = gradient_of(trained, state["stats"], buffers, examples, shared, key)
        inverse = 1.0 / jnp.maximum(weight, 1e-12)  # no weight at all: no loss and no gradient
        gradient = jax.tree.map(lambda g: g * inverse, gradient)
        norm = optax.tree.norm(gradient)
        if clip_norm is not None:
            shrink = jnp.minimum(1.0, clip_norm / jnp.maximum(norm, 1e-12))
            gradient = jax.tree.map(lambda g: g * shrink, gradient)

        with jax.numpy_dtype_promotion("standard"):  # optax multiplies floats by its int32 counts of steps
            updates, optimizer_state = optimizer.update(gradient["params"], state["opt"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        tables = {}
        for name, table in gathered.items():
            assert row_optimizer is not None
            slots = {slot: array for slot, array in table.items() if slot != "rows"}
            rows, slots = row_optimizer.update(table["rows"], gradient["rows"][name], slots, number)
            tables[name] = scatter(state["tables"][name], ids[specs[name].ids], {"rows": rows, **slots})

        new = {"params": params, "stats": stats, "opt": optimizer_state, "tables": tables, "step": number + 1}
        if "buffers" in state:
            new["buffers"] = dict(state["buffers"])
            for name, rows in computed.items():
                new["buffers"][name] = rows
                if row_optimizer is not None:
                    there, place = {"rows": state["buffers"][name]}, ids[specs[name].ids]
                    new["buffers"][name] = scatter(there, place, {"rows": rows})["rows"]
        if ema_decay is not None:
            # The first steps average over those there were: the initial values are soon forgotten.
            steps = number.astype(jnp.float32)
            decay = jnp.minimum(ema_decay, (1.0 + steps) / (10.0 + steps))
            new["ema"] = optax.incremental_update(params, state["ema"], 1.0 - decay)
        value = total * inverse
        finite = jnp.isfinite(value) & jnp.isfinite(norm)
        return new, {"loss": value, "grad_norm": norm, "weight": weight, "finite": finite}

    return step
