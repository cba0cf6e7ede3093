"""Weights in an ONNX file, read without ONNX: the initialisers of its graph."""

import math

import numpy as np

from mu.pretrained.wire_format import Value, message, numbers, text, value_bytes, value_number

# Numbers of fields in onnx.proto, and of types in its TensorProto.DataType.
_GRAPH, _INITIALISER = 7, 5
_DIMS, _DATA_TYPE, _FLOAT_DATA, _NAME, _RAW_DATA, _DATA_LOCATION = 1, 2, 4, 8, 9, 14
_FLOAT = 1


def read_floats(data: bytes, file: str) -> dict[str, np.ndarray]:
    """The float32 initialisers of a model's graph by name; whole numbers, which are shapes and axes, are passed over.

    Args:
      data: the bytes of a .onnx file.
      file: its name, for messages.

    Raises:
      ValueError: it is no ONNX file or is cut off, or its weights lie in another file.
    """
    try:
        graphs = message(data).get(_GRAPH, [])
        tensors = [message(value_bytes(one)) for graph in graphs for one in message(value_bytes(graph))[_INITIALISER]]
        return {text(one[_NAME][0]): _floats(one) for one in tensors if value_number(one[_DATA_TYPE][0]) == _FLOAT}
    except (ValueError, KeyError) as error:
        reason = f"the field {error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{file} is no whole ONNX file ({reason}): take it from the package again") from None


def _floats(tensor: dict[int, list[Value]]) -> np.ndarray:
    if _DATA_LOCATION in tensor and value_number(tensor[_DATA_LOCATION][0]):
        raise ValueError(f"the weights {text(tensor[_NAME][0])} lie in another file")
    shape = tuple(numbers(tensor.get(_DIMS, [])))
    raw = value_bytes(tensor[_RAW_DATA if _RAW_DATA in tensor else _FLOAT_DATA][0])
    if len(raw) != 4 * math.prod(shape):
        raise ValueError(f"{text(tensor[_NAME][0])} has {len(raw):,} bytes for the shape {list(shape)}")
    return np.frombuffer(raw, "<f4").reshape(shape)
