"""The state of a run, a plain dict of arrays born in their places on the mesh.

`{'params': {'model': ..., 'tables': ...}, 'stats': ..., 'opt': optax state, 'tables': {name: {'rows', slots}}, 'step':
int32}` and, by option, `'ema'`, a moving average of `params`. Tables lie in `tables` when their rows train sparsely, in
`params['tables']` when optax trains them whole. `stats` are the running statistics of batch norms: no gradient moves
them. Nor does one move the rows in `'buffers'`, which are there if the model or the data has any: features of each
track, and what the model has computed of it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from mu.protocols import TableSpec
from mu.training.sharding import partition, replicated, state_shardings
from mu.training.tables import RowOptimizer, create

State = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class StatePlan:
    """A state before anything is allocated.

    Attributes:
      graph: of the module; its values are in the state.
      shapes: the state as `jax.ShapeDtypeStruct`s, each with its sharding.
      shardings: of the state.
      init: key -> the state, but for the buffers whose rows come from the data.
      mesh: the devices.
    """

    graph: nnx.GraphDef
    shapes: State
    shardings: State
    init: Callable[[jax.Array], State]
    mesh: Mesh


def plan_state(
    build_model: Callable[[nnx.Rngs], nnx.Module],
    specs: Mapping[str, TableSpec],
    sizes: Mapping[str, int],
    optimizer: optax.GradientTransformation,
    row_optimizer: RowOptimizer | None,
    *,
    mesh: Mesh,
    rules: Mapping[str, str | None],
    ema: bool = False,
    rows: Mapping[str, np.ndarray] | None = None,
) -> StatePlan:
    """Shapes and places of a model, its tables and its optimizer; nothing is allocated.

    Args:
      build_model: makes the module; called under `jax.eval_shape` and `jax.jit` only.
      specs: the tables, those of `rows` too.
      sizes: rows of each id space, {'users': U, 'items': V, ...}.
      optimizer: of the dense parameters.
      row_optimizer: of the tables, or None: they join the dense parameters.
      mesh: see `mu.training.sharding.make_mesh`.
      rules: logical axis name -> mesh axis; 'rows' and 'embed' place the tables.
      ema: keeps a moving average of the dense parameters.
      rows: tables that are not learnt and whose rows are known; others of that kind start at zero.

    Raises:
      ValueError: a table belongs to an id space that `sizes` lacks, or `ema` comes with sparse tables.
    """
    for name, spec in specs.items():
        if spec.ids not in sizes:
            there = ", ".join(sizes) or "none"
            raise ValueError(f"the table {name!r} has a row for each of {spec.ids!r}; the data's id spaces are {there}")
    learnt = {name: spec for name, spec in specs.items() if spec.learnt}
    buffers = {name: spec for name, spec in specs.items() if not spec.learnt}
    rows = rows or {}
    if ema and learnt and row_optimizer is not None:
        raise ValueError("ema_decay needs dense tables (tables.name='dense'): a row that no batch names would lag")

    graph, abstract, abstract_stats = nnx.split(
        nnx.eval_shape(lambda: build_model(nnx.Rngs(0))), nnx.Param, nnx.BatchStat
    )
    model_places = state_shardings(abstract, mesh, rules)
    row_place = NamedSharding(mesh, partition(("rows", "embed"), rules))

    def init(key: jax.Array) -> State:
        _, *parts = nnx.split(build_model(nnx.Rngs(key)), nnx.Param, nnx.BatchStat)
        model, stats = (nnx.to_pure_dict(part) for part in parts)
        table_key = jax.random.fold_in(key, 1)
        keys = jax.random.split(table_key, len(learnt))
        tables = {
            name: create(spec, sizes[spec.ids], key)
            for (name, spec), key in zip(sorted(learnt.items()), keys, strict=True)
        }
        params = {"model": model, "tables": tables if row_optimizer is None else {}}
        sparse = {}
        if row_optimizer is not None:
            sparse = {name: {"rows": array, **row_optimizer.init(array)} for name, array in tables.items()}
        state = {
            "params": params,
            "stats": stats,
            "opt": optimizer.init(params),
            "tables": sparse,
            "step": jnp.int32(0),
        }
        if buffers:
            blank = {
                name: jnp.zeros((sizes[spec.ids], spec.dim), jnp.float32)
                for name, spec in buffers.items()
                if name not in rows
            }
            state["buffers"] = blank
        # A copy of its own: params and average must not share a buffer that the step is given to overwrite.
        return {**state, "ema": jax.tree.map(jnp.copy, params)} if ema else state

    shapes = jax.eval_shape(init, jax.eval_shape(lambda: jax.random.key(0)))
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
    if buffers:
        narrow = NamedSharding(mesh, partition(("rows", None), rules))  # rows of the data may be one number wide
        shardings["buffers"] = dict.fromkeys(shapes["buffers"], row_place) | dict.fromkeys(rows, narrow)
        shapes["buffers"] |= {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in rows.items()}
    shapes = jax.tree.map(
        lambda shape, place: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=place), shapes, shardings
    )
    return StatePlan(graph, shapes, shardings, init, mesh)


def init_state(plan: StatePlan, seed: int, rows: Mapping[str, np.ndarray] | None = None) -> State:
    """The state at step 0, every array made where it will stay.

    Args:
      plan: of `plan_state`.
      seed: of all initial values.
      rows: as given to `plan_state`.
    """
    rows = rows or {}
    places = dict(plan.shardings)
    if "buffers" in places:
        places["buffers"] = {name: place for name, place in places["buffers"].items() if name not in rows}
    # It runs once, so it is compiled in a third of the time: on a CPU, level 1 gives the same bits as soon. The key is
    # an argument, so that another seed is the same program.
    on_cpu = plan.mesh.devices.flat[0].platform == "cpu"
    options = {"xla_backend_optimization_level": 1} if on_cpu else None
    state = jax.jit(plan.init, out_shardings=places, compiler_options=options)(jax.random.key(seed))
    for name, array in rows.items():
        state["buffers"][name] = jax.device_put(array, plan.shardings["buffers"][name])
    return state


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
    rows |= state.get("buffers", {})
    return values(params["model"], state["stats"]), rows
