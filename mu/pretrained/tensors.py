"""Tensors of a safetensors file by name, as NumPy arrays of the shapes that are expected."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from mu.names import nearest

# What can be read without loss into float32, in the words of the format.
TYPES = ("F32", "F16")


def read_tensors(
    path: str | os.PathLike[str], shapes: Mapping[str, tuple[int, ...]], prefix: str = "", ignored: str | None = None
) -> dict[str, np.ndarray]:
    """The tensors of a file, each checked against the shape that the architecture asks for.

    Args:
      path: a safetensors file.
      shapes: name -> shape of every tensor that is wanted.
      prefix: what the names in the file may begin with, all or none: a model with a head names its encoder.
      ignored: beginning of the names of the head, which is not read; None where there is none.

    Returns:
      name -> float32 array, for the names of `shapes`.

    Raises:
      ValueError: it is no safetensors file; tensors are missing, have another shape or type, or are not known. Names
        the first ones with their shapes.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in list(file.keys()) if ignored is None or not name.startswith(ignored)]
            prefix = prefix if any(name.startswith(prefix) for name in names) else ""
            slices = {name: file.get_slice(name) for name in names}
            there = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
            _refuse(path, there, {f"{prefix}{name}": shape for name, shape in shapes.items()})
            return {name: np.asarray(file.get_tensor(f"{prefix}{name}"), np.float32) for name in shapes}
    except SafetensorError as error:
        with path.open("rb") as file:
            pointer = file.read(40).startswith(b"version https://git-lfs")
        why = "it is a pointer of Git LFS, not the file itself" if pointer else str(error)
        raise ValueError(f"{path} is not a whole safetensors file ({why}): download it again") from None


def _refuse(
    path: Path,
    there: Mapping[str, tuple[tuple[int, ...], str]],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Raises ValueError unless the file has what is wanted and nothing else."""
    if missing := [f"{name} {list(shape)}" for name, shape in shapes.items() if name not in there]:
        raise ValueError(
            f"{path} lacks {len(missing):,} of the {len(shapes):,} tensors that its config.json asks for: "
            f"{_first(missing)}; it holds {_first([f'{name} {list(there[name][0])}' for name in there])}. Take both "
            "files from the same model"
        )
    other = [
        f"{name} is {list(there[name][0])} where {list(shape)} is needed"
        for name, shape in shapes.items()
        if there[name][0] != shape
    ]
    if other:
        raise ValueError(f"{path} does not fit its config.json: {_first(other)}. Take both files from the same model")
    if types := [f"{name} is {there[name][1]}" for name in shapes if there[name][1] not in TYPES]:
        raise ValueError(f"{path}: {_first(types)}; tensors of the types {', '.join(TYPES)} are read: convert the file")
    if unknown := [name for name in there if name not in shapes]:
        raise ValueError(
            f"{path} holds tensors that this architecture does not have: {_first(unknown)}{nearest(unknown[0], shapes)}"
        )


def _first(items: list[str]) -> str:
    more = f" and {len(items) - 3:,} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more
