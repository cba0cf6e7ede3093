"""Writes TensorFlow checkpoints by hand, as their format says; checksums bit by bit."""

from collections.abc import Callable, Mapping

import numpy as np

TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "float16": 19}


def crc(data: bytes) -> int:
    """CRC-32C as files hold it, one bit a step."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) % (1 << 32)


def varint(number: int) -> bytes:
    digits = []
    while number >= 128:
        digits.append(number % 128 + 128)
        number //= 128
    return bytes([*digits, number])


def field(number: int, value: int | bytes, fixed: bool = False) -> bytes:
    """A field of a message: a varint, bytes, or 4 bytes of fixed width."""
    if isinstance(value, int):
        return varint(8 * number + 5) + value.to_bytes(4, "little") if fixed else varint(8 * number) + varint(value)
    return varint(8 * number + 2) + varint(len(value)) + value


def table(entries: Mapping[bytes, bytes], per_block: int = 3, compression: int = 0) -> bytes:
    """A sorted table; keys share their beginnings with the key before, within a block."""
    content, index = b"", {}
    keys = sorted(entries)

    def block(part: Mapping[bytes, bytes]) -> bytes:
        body, before = b"", b""
        for key, value in part.items():
            both = list(zip(before, key, strict=False))
            shared = next((place for place, (one, other) in enumerate(both) if one != other), len(both))
            own = key[shared:]
            body += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
            before = key
        return body + bytes(4) + (1).to_bytes(4, "little")

    def added(body: bytes) -> bytes:
        nonlocal content
        handle = varint(len(content)) + varint(len(body))
        trailer = bytes([compression])
        content += body + trailer + crc(body + trailer).to_bytes(4, "little")
        return handle

    for first in range(0, len(keys), per_block):
        part = keys[first : first + per_block]
        index[part[-1]] = added(block({key: entries[key] for key in part}))
    filters, root = added(block({})), added(block(index))
    return content + (filters + root).ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")


def entry(array: np.ndarray, offset: int, checksum: int) -> bytes:
    """The message that says where a tensor is; as TensorFlow does, zeros are left out."""
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    message = field(1, TYPES[array.dtype.name]) + field(2, shape)
    message += field(4, offset) if offset else b""
    return message + field(5, array.nbytes) + field(6, checksum, fixed=True)


def checkpoint(
    tensors: Mapping[str, np.ndarray], header: bytes | None = None, checksum: Callable[[bytes], int] = crc
) -> tuple[bytes, bytes]:
    """(index, data) of a checkpoint in one file of data."""
    entries, data = {b"": field(1, 1) + field(3, field(1, 1)) if header is None else header}, b""
    for name in sorted(tensors):
        content = tensors[name].tobytes()
        entries[name.encode()] = entry(tensors[name], len(data), checksum(content))
        data += content
    return table(entries), data
