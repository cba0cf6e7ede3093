"""An index in one file: a header that lists them, then arrays at page boundaries, each with a checksum."""

import json
import math
import os
import secrets
import struct
import zlib
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = b"mu-index"
VERSION = 1
PAGE_BYTES = 4096
PREFIX = struct.Struct("<8sIII")  # magic, version, bytes and checksum of the header


def save(path: str | os.PathLike[str], numbers: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Writes beside `path` and moves into place: what was there stays until the new file is whole."""
    path = Path(path)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    entries = {
        name: {
            "dtype": array.dtype.str,
            "shape": array.shape,
            "crc32": zlib.crc32(array.reshape(-1).view(np.uint8).data),
        }
        for name, array in arrays.items()
    }
    # Offsets come after the header, whose length depends on them: twenty digits each are kept free.
    space = len(json.dumps({"numbers": numbers, "arrays": entries, "bytes": 0})) + 40 * (len(arrays) + 1)
    offset = _page(PREFIX.size + space)
    for name, array in arrays.items():
        entries[name]["offset"] = offset
        offset = _page(offset + array.nbytes)
    header = json.dumps({"numbers": numbers, "arrays": entries, "bytes": offset}).encode()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask, as any file
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(PREFIX.pack(MAGIC, VERSION, len(header), zlib.crc32(header)))
            file.write(header)
            for name, array in arrays.items():
                file.seek(entries[name]["offset"])
                array.tofile(file)
            file.truncate(offset)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(
    path: str | os.PathLike[str], mmap: bool, unread: Container[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The numbers and the arrays.

    Args:
      path: of the file.
      mmap: maps the arrays, private to this process (changes stay in memory).
      unread: names of the arrays that are not read, and not checked, when they are mapped.

    Raises:
      ValueError: not an index, another version, cut short or damaged; names the file.
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(PREFIX.size)
        if len(prefix) < PREFIX.size or not prefix.startswith(MAGIC):
            raise ValueError(f"{path} is not a saved ItemIndex: it does not begin with {MAGIC.decode()!r}")
        _, version, length, checksum = PREFIX.unpack(prefix)
        if version != VERSION:
            raise ValueError(f"{path} has format version {version}; this mu_kernels reads {VERSION}: save it anew")
        header = file.read(length)
        if len(header) < length or zlib.crc32(header) != checksum:
            raise ValueError(f"{path} is damaged: its header does not have the checksum it was saved with")
        try:
            contents = json.loads(header)
            n_bytes, numbers = int(contents["bytes"]), dict(contents["numbers"])
            places = {name: _place(entry, n_bytes) for name, entry in contents["arrays"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(f"{path} is damaged: its header describes no arrays that the file could hold") from None
        if size != n_bytes:
            raise ValueError(f"{path} has {size:,} bytes and was saved with {n_bytes:,}: it was cut short or grew")
        arrays = {}
        whole = np.memmap(path, np.uint8, "c") if mmap else None
        for name, (dtype, shape, offset, length, crc32) in places.items():
            if whole is not None:
                raw = np.asarray(whole[offset : offset + length])
            else:
                raw = np.empty(length + PAGE_BYTES, np.uint8)
                raw = raw[-raw.ctypes.data % PAGE_BYTES :][:length]
                file.seek(offset)
                file.readinto(raw.data)
            if (whole is None or name not in unread) and zlib.crc32(raw.data) != crc32:
                raise ValueError(f"{path} is damaged: {name!r} does not have the checksum it was saved with")
            arrays[name] = raw.view(dtype).reshape(shape)
    return numbers, arrays


def _place(entry: dict[str, Any], n_bytes: int) -> tuple[np.dtype, tuple[int, ...], int, int, int]:
    """(type, shape, offset, length in bytes, checksum) of an array; ValueError where it does not lie in the file."""
    dtype, shape, offset = np.dtype(entry["dtype"]), tuple(map(int, entry["shape"])), int(entry["offset"])
    length = dtype.itemsize * math.prod(shape)
    if dtype.kind not in "iuf" or min((*shape, offset)) < 0 or offset % PAGE_BYTES or offset + length > n_bytes:
        raise ValueError("an array lies outside of the file")
    return dtype, shape, offset, length, int(entry["crc32"])


def _page(offset: int) -> int:
    return -(-offset // PAGE_BYTES) * PAGE_BYTES
