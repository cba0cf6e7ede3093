"""Tensors of a checkpoint that PyTorch (since 1.6) wrote, read without PyTorch and without running its pickle.

The file is a zip archive: data.pkl, a pickle that names storages, and data/0, data/1, ..., their numbers. A pickle can
call any function. Here it can call none: tensors become NumPy arrays, `OrderedDict` is itself, and whatever else a
pickle names becomes an `Inert` record of what it was to be made of.
"""

import collections
import io
import math
import pickle
import zipfile
from typing import Any

import numpy as np

from mu.pretrained.zip_damage import zip_damage

_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


class Inert:
    """What a pickle names and nobody makes.

    Attributes:
      name: 'package.module.Class'.
      arguments: of the call.
      state: what the object was to hold; None where nothing was said.
    """

    name = ""

    def __new__(cls, *arguments: Any) -> "Inert":
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __init__(self, *arguments: Any):
        self.arguments: tuple[Any, ...] = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def read_checkpoint(data: bytes, file: str) -> Any:
    """What a checkpoint holds: dicts, lists, numbers and texts; tensors as NumPy arrays, all other objects as `Inert`.

    Args:
      data: the bytes of a .ckpt, .pt or .pth.
      file: its name, for messages.

    Raises:
      ValueError: it is no checkpoint or is cut off, or a tensor does not lie in its storage.
    """
    with zip_damage(file):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return _content(archive)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"{file} is no checkpoint that can be read ({error}): take it from the package again"
            ) from None


def named_tensors(value: Any, file: str) -> dict[str, np.ndarray]:
    """A part of a checkpoint that is to be a table of tensors by name, as a model's `state_dict` is.

    Raises:
      ValueError: it is something else.
    """
    if not isinstance(value, dict) or not all(isinstance(one, np.ndarray) for one in value.values()):
        raise ValueError(f"{file} holds no table of tensors by name where the model's should be")
    return {str(name): tensor for name, tensor in value.items()}


def _content(archive: zipfile.ZipFile) -> Any:
    roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ValueError(f"it holds {len(roots)} files data.pkl, and not one")
    if f"{roots[0]}byteorder" in archive.namelist() and archive.read(f"{roots[0]}byteorder") != b"little":
        raise ValueError("its numbers are big-endian")
    return _Unpickler(archive, roots[0]).load()


class _Unpickler(pickle.Unpickler):
    """Of data.pkl. What it names is made anew for each file, so that no file can change it for the next."""

    def __init__(self, archive: zipfile.ZipFile, root: str):
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")))
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in _TYPES:
            return np.dtype(_TYPES[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _tensor(storage, offset, shape, strides)
        return type("Inert", (Inert,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: Any, /) -> Any:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise ValueError(f"a storage of the type {getattr(dtype, 'name', dtype)} is not read")
        content = self._archive.read(f"{self._root}data/{key}")
        if len(content) != count * dtype.itemsize:
            raise ValueError(f"data/{key} has {len(content):,} bytes for {count:,} numbers of {dtype}")
        return np.frombuffer(content, dtype)


def _tensor(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """The tensor whose element i, j, ... is number offset + i strides[0] + j strides[1] + ... of the storage."""
    if min(offset, *shape, *strides, 0) < 0 or len(shape) != len(strides):
        raise ValueError(f"a tensor has the offset {offset}, the shape {shape} and the strides {strides}")
    count = math.prod(shape)
    if count == 0:
        return np.zeros(shape, storage.dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if max(last + 1, count) > len(storage):
        raise ValueError(f"a tensor of the shape {shape} does not lie in its storage of {len(storage):,} numbers")
    steps = tuple(stride * storage.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False).copy()
