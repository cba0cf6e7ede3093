"""Sharding: one table in the config maps logical axis names to axes of the mesh."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

MESH_AXES = ("data", "model")


def make_mesh(data: int = -1, model: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh with the axes 'data' and 'model'.

    Args:
      data: devices along which a batch is split; -1 takes what `model` leaves.
      model: devices along which hidden layers are split.
      devices: JAX devices; default: all.

    Raises:
      ValueError: the product is not the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    if model < 1 or len(devices) % model:
        raise ValueError(f"mesh.model={model} does not divide the {len(devices)} devices")
    if data == -1:
        data = len(devices) // model
    if data * model != len(devices):
        raise ValueError(
            f"mesh data={data} x model={model} needs {data * model} devices; there are {len(devices)}: "
            "set mesh.data=-1 to take all"
        )
    return jax.make_mesh((data, model), MESH_AXES, axis_types=(AxisType.Auto,) * 2, devices=devices)


def partition(axes: Sequence[str | None], rules: Mapping[str, str | None]) -> PartitionSpec:
    """The mesh axes of an array whose axes have these logical names; an unnamed axis is not split.

    Raises:
      ValueError: a name has no rule, or two axes of the array map to one mesh axis.
    """
    placed: list[str | None] = []
    for name in axes:
        if name is None:
            placed.append(None)
            continue
        if name not in rules:
            raise ValueError(f"logical axis {name!r} has no rule; sharding has {', '.join(sorted(rules))}")
        mesh_axis = rules[name]
        if mesh_axis is not None and mesh_axis in placed:
            raise ValueError(f"logical axes {tuple(axes)} put {mesh_axis!r} on two axes of one array: {rules}")
        placed.append(mesh_axis)
    return PartitionSpec(*placed)


def state_shardings(abstract: nnx.State, mesh: Mesh, rules: Mapping[str, str | None]) -> dict[str, Any]:
    """The place of each parameter of a module, as a plain nested dict.

    Args:
      abstract: `nnx.split(nnx.eval_shape(build))[1]`; parameters name their axes in the metadata `axes`;
        stacked layers have one leading axis more than names, and it is not split.
      mesh: see `make_mesh`.
      rules: logical name -> mesh axis or None.
    """
    for name, axis in rules.items():
        if axis is not None and axis not in mesh.axis_names:
            raise ValueError(f"sharding.{name}={axis!r}; the mesh has the axes {', '.join(mesh.axis_names)}")

    def place(variable: nnx.Variable) -> NamedSharding:
        rank = len(variable.get_value().shape)
        axes = variable.get_metadata().get("axes", (None,) * rank)
        axes = (None,) * (rank - len(axes)) + tuple(axes)
        return NamedSharding(mesh, partition(axes, rules))

    return nnx.to_pure_dict(jax.tree.map(place, abstract, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable)))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Leading axis over 'data'."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def put_batch(batch: Mapping[str, Any], mesh: Mesh) -> dict[str, Any]:
    """Host arrays onto the mesh: the examples split over 'data', the rest on every device.

    The rest has no axis of examples: the tables' ids (`batch['ids']`) and what all examples share (`batch['shared']`).
    One process feeds all devices of the mesh; a run over several hosts needs a `put_batch` of its own.
    """
    whole = {"ids": {}, **{name: batch[name] for name in ("ids", "shared") if name in batch}}
    examples = {k: jax.device_put(v, batch_sharding(mesh)) for k, v in batch.items() if k not in whole}
    return {**examples, **jax.device_put(whole, replicated(mesh))}
