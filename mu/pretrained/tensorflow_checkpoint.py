"""Tensors of a TensorFlow checkpoint (version 2: `.index` and `.data-00000-of-00001`), read without TensorFlow.

The index is a table (`mu.pretrained.sorted_table`): the key '' has the message BundleHeaderProto, each tensor's name
its BundleEntryProto, which says where the tensor's bytes are in the data, and their checksum.
Source: tensorflow/core/protobuf/tensor_bundle.proto.
"""

from collections.abc import Callable

import numpy as np

from mu.pretrained.crc32c import crc32c, masked
from mu.pretrained.sorted_table import read_table
from mu.pretrained.wire_format import message, numbers, value_bytes, value_number

# Fields of the messages.
SHARDS, ENDIANNESS = 1, 2
DTYPE, SHAPE, SHARD, OFFSET, SIZE, CHECKSUM, SLICES = range(1, 8)
DIMENSION, DIMENSION_SIZE = 2, 1
# Of tensorflow/core/framework/types.proto, those that are read.
DTYPES = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 9: np.dtype("<i8"), 19: np.dtype("<f2")}


def read_checkpoint(
    index: bytes, data: bytes, name: str, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint in one shard, their checksums checked.

    Args:
      index: the bytes of the file `.index`.
      data: those of the file `.data-00000-of-00001`.
      name: of the checkpoint, for messages.
      wanted: tensor's name -> whether it is read; an optimizer's are left out this way.

    Returns:
      tensor's name -> array, in the order of names.

    Raises:
      ValueError: a file is cut off or damaged, or has what is not read: several shards, big-endian numbers, tensors in
        slices or of other types.
    """
    try:
        table = read_table(index)
        if b"" not in table:
            raise ValueError("it has no header")
        _check_header(table.pop(b""))
        entries = {key.decode(): message(value) for key, value in table.items() if wanted(key.decode())}
    except ValueError as error:
        raise ValueError(f"{name}.index: {error}") from None
    tensors = {}
    for tensor, entry in entries.items():
        try:
            tensors[tensor] = _tensor(entry, data)
        except ValueError as error:
            raise ValueError(f"{name}: the tensor {tensor!r}: {error}") from None
    return tensors


def _check_header(value: memoryview) -> None:
    header = message(value)
    shards = value_number(header.get(SHARDS, [0])[0])
    if shards != 1:
        raise ValueError(f"the checkpoint lies in {shards:,} files of data; those of one are read")
    if value_number(header.get(ENDIANNESS, [0])[0]):
        raise ValueError("its numbers are big-endian, which is not read")


def _tensor(entry: dict[int, list], data: bytes) -> np.ndarray:
    if SLICES in entry:
        raise ValueError("it is stored in slices, which are not read")
    kind = value_number(entry.get(DTYPE, [0])[0])
    if kind not in DTYPES:
        raise ValueError(f"it has the type {kind} of TensorFlow; those read are {', '.join(map(str, DTYPES.values()))}")
    offset, size = (value_number(entry.get(field, [0])[0]) for field in (OFFSET, SIZE))
    shape = tuple(
        numbers(message(value_bytes(one)).get(DIMENSION_SIZE, [0]))[0]
        for one in message(value_bytes(entry.get(SHAPE, [memoryview(b"")])[0])).get(DIMENSION, [])
    )
    dtype = DTYPES[kind]
    if size != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"it has {size:,} bytes, and its shape {list(shape)} of {dtype} asks for another number")
    if offset + size > len(data):
        raise ValueError(f"it ends at byte {offset + size:,} of the data, which have {len(data):,}: they are cut off")
    content = memoryview(data)[offset : offset + size]
    if masked(crc32c(content)) != value_number(entry.get(CHECKSUM, [0])[0]):
        raise ValueError("its checksum does not fit: the data are damaged")
    return np.frombuffer(content, dtype).reshape(shape).copy()
