"""The state of a run, a plain dict of arrays born in their places on the mesh.

`{'params': {'model': ..., 'tables': ...}, 'stats': ..., 'opt': optax state, 'tables': {name: {'rows', slots}}, 'step':
int32}` and, by option, `'ema'`, a moving average of `params`. Tables lie in `tables` when their rows train sparsely, in
`params['tables']` when optax trains them whole. `stats` are the running statistics of batch norms: no gradient moves
them. Nor does it move the rows in `'kept'`, which are there if the model or the data has any: what is known of each
track, and what the model has computed of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from mu.training.sharding import partition, replicated, state_shardings
from mu.training.tables import RowOptimizer, TableSpec, create


def init_state(
    build_model: Callable[[nnx.Rngs], nnx.Module],
    specs: Mapping[str, TableSpec],
    sizes: Mapping[str, int],
    optimizer: optax.GradientTransformation,
    row_optimizer: RowOptimizer | None,
    *,
    seed: int,
    mesh: Mesh,
    rules: Mapping[str, str | None],
    ema: bool = False,
    given: Mapping[str, np.ndarray] | None = None,
) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any]]:
    """Creates a model and its tables, every array made where it will stay.

    Args:
      build_model: makes the module; called under `jax.eval_shape` and `jax.jit` only.
      specs: the tables, those of `given` too.
      sizes: rows of each id space, {'users': U, 'items': V}.
      optimizer: of the dense parameters.
      row_optimizer: of the tables, or None: they join the dense parameters.
      seed: of all initial values.
      mesh: see `mu.training.sharding.make_mesh`.
      rules: logical axis name -> mesh axis; 'rows' and 'embed' place the tables.
      ema: keeps a moving average of the dense parameters.
      given: tables that are not learnt and whose rows are known; others of that kind start at zero.

    Returns:
      (graph of the module, state, shardings of the state).
    """
    learnt = {name: spec for name, spec in specs.items() if spec.learnt}
    kept = {name: spec for name, spec in specs.items() if not spec.learnt}
    given = given or {}
    if ema and learnt and row_optimizer is not None:
        raise ValueError("ema_decay needs dense tables (tables.name='dense'): a row that no batch names would lag")

    graph, abstract, abstract_stats = nnx.split(
        nnx.eval_shape(lambda: build_model(nnx.Rngs(seed))), nnx.Param, nnx.BatchStat
    )
    model_places = state_shardings(abstract, mesh, rules)
    row_place = NamedSharding(mesh, partition(("rows", "embed"), rules))

    def init(key: jax.Array) -> dict[str, Any]:
        _, *found = nnx.split(build_model(nnx.Rngs(key)), nnx.Param, nnx.BatchStat)
        model, stats = (nnx.to_pure_dict(part) for part in found)
        table_key = jax.random.fold_in(key, 1)
        keys = jax.random.split(table_key, len(learnt))
        rows = {
            name: create(spec, sizes[spec.ids], key)
            for (name, spec), key in zip(sorted(learnt.items()), keys, strict=True)
        }
        params = {"model": model, "tables": rows if row_optimizer is None else {}}
        tables = {}
        if row_optimizer is not None:
            tables = {name: {"rows": array, **row_optimizer.init(array)} for name, array in rows.items()}
        state = {
            "params": params,
            "stats": stats,
            "opt": optimizer.init(params),
            "tables": tables,
            "step": jnp.int32(0),
        }
        if kept:
            blank = {name: jnp.zeros((sizes[spec.ids], spec.dim)) for name, spec in kept.items() if name not in given}
            state["kept"] = blank
        # A copy of its own: params and average must not share a buffer that the step is given to overwrite.
        return {**state, "ema": jax.tree.map(jnp.copy, params)} if ema else state

    key = jax.random.key(seed)
    shapes = jax.eval_shape(init, key)
    params_places = {
        "model": model_places,
        "tables": dict.fromkeys(shapes["params"]["tables"], row_place),
    }
    optimizer_places = optax.tree.map_params(
        optimizer,
        lambda _, place: place,
        shapes["opt"],
        params_places,
        transform_non_params=lambda _: replicated(mesh),
    )
    shardings = {
        "params": params_places,
        "stats": state_shardings(abstract_stats, mesh, rules),
        "opt": optimizer_places,
        "tables": jax.tree.map(
            lambda shape: row_place if len(shape.shape) == 2 else NamedSharding(mesh, jax.P(*row_place.spec[:1])),
            shapes["tables"],
        ),
        "step": replicated(mesh),
    }
    if ema:
        shardings["ema"] = params_places
    if kept:
        shardings["kept"] = dict.fromkeys(shapes["kept"], row_place)
    # It runs once, so it is compiled in a third of the time: on a CPU, level 1 gives the same bits as soon. The key is
    # an argument, so that another seed is the same program.
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    options = {"xla_backend_optimization_level": 1} if on_cpu else None
    state = jax.jit(init, out_shardings=shardings, compiler_options=options)(key)
    given_place = NamedSharding(mesh, partition(("rows", None), rules))  # they may be one number wide
    for name, rows in given.items():
        state["kept"][name] = jax.device_put(rows, given_place)
        shardings["kept"][name] = given_place
    return graph, state, shardings


def values(params: Mapping[str, Any], stats: Mapping[str, Any]) -> dict[str, Any]:
    """All of a module's values, parameters and running statistics, as one nested dict for `nnx.merge`."""
    merged = dict(params)
    for name, inside in stats.items():
        merged[name] = values(merged.get(name, {}), inside) if isinstance(inside, Mapping) else inside
    return merged


def weights(state: Mapping[str, Any]) -> tuple[Any, dict[str, jax.Array]]:
    """(values of the module, whole tables) of a state; the moving average where the run keeps one."""
    params = state.get("ema", state["params"])
    rows = dict(params["tables"]) | {name: table["rows"] for name, table in state["tables"].items()}
    rows |= state.get("kept", {})
    return values(params["model"], state["stats"]), rows
