"""The values of a module by dotted names, and another network's tensors by these names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.names import nearest
from mu.pretrained.tensors import read_tensors


def shapes_of(build: Callable[[], nnx.Module]) -> dict[str, tuple[int, ...]]:
    """'layer.kernel' -> its shape, of every value of the module that `build` makes; nothing is computed."""
    _, state = nnx.split(nnx.eval_shape(build))
    return {name: leaf.shape for name, leaf in _named(nnx.to_pure_dict(state)).items()}


def load_values(build: Callable[[], nnx.Module], path: Path) -> tuple[nnx.GraphDef, dict[str, Any]]:
    """(graph, params) of the module that `build` makes, its values from a safetensors file by their dotted names.

    Raises:
      ValueError: tensors are missing, unknown, or of another shape; see `mu.pretrained.tensors`.
    """
    graph, state = nnx.split(nnx.eval_shape(build))
    params = nnx.to_pure_dict(state)
    leaves, structure = jax.tree.flatten_with_path(params)
    names = [_dotted(keys) for keys, _ in leaves]
    tensors = read_tensors(path, {name: leaf.shape for name, (_, leaf) in zip(names, leaves, strict=True)})
    return graph, jax.tree.unflatten(structure, [tensors[name] for name in names])


def renamed(
    tensors: Mapping[str, np.ndarray], names: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]], file: str
) -> dict[str, np.ndarray]:
    """The tensors of another network's file by the names of the module's values, every shape checked.

    Args:
      tensors: by their names in the file, with the axes in the module's order; tensors of training alone are taken
        out.
      names: the module's name -> the file's: a pair for every value.
      shapes: of the module's values, by the module's names.
      file: for messages.

    Returns:
      float32 arrays by the module's names, in the order of `shapes`.

    Raises:
      ValueError: tensors are missing, of another shape, unknown or not finite; lists them, and the nearest names.
    """
    if without := [name for name in shapes if name not in names]:
        raise ValueError(f"the table of names has nothing for {_first(without)}")
    wanted = {names[name]: shape for name, shape in shapes.items()}
    unknown = [name for name in tensors if name not in wanted]
    missing = [f"{name} {list(shape)}{nearest(name, unknown)}" for name, shape in wanted.items() if name not in tensors]
    if missing:
        raise ValueError(f"{file} lacks {len(missing):,} of the model's {len(wanted):,} tensors: {_first(missing)}")
    if unknown:
        named = [f"{name}{nearest(name, wanted)}" for name in unknown]
        raise ValueError(f"{file} holds {len(unknown):,} tensors that the model does not have: {_first(named)}")
    other = [
        f"{name} is {list(tensors[name].shape)} where {list(shape)} is needed"
        for name, shape in wanted.items()
        if tensors[name].shape != shape
    ]
    if other:
        raise ValueError(f"{file} is of another size than the model: {_first(other)}")
    if odd := [name for name in wanted if not np.isfinite(tensors[name]).all()]:
        raise ValueError(f"{file} holds numbers that are not finite: {_first(odd)}")
    return {name: np.ascontiguousarray(tensors[names[name]], np.float32) for name in shapes}


def _named(params: dict[str, Any]) -> dict[str, Any]:
    leaves, _ = jax.tree.flatten_with_path(params)
    return {_dotted(keys): leaf for keys, leaf in leaves}


def _dotted(keys: tuple[Any, ...]) -> str:
    return ".".join(str(key.key) for key in keys)


def _first(items: list[str]) -> str:
    more = f" and {len(items) - 3:,} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more
