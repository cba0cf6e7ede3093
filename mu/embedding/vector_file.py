"""A file of vectors that a killed process goes on with: records are appended, and a checksum ends each.

A record is (content hash, vector, checksum of both); all have one length, so that NumPy maps the file into memory.
Reading ends before the first record that is cut off or whose checksum is wrong. (A database would be one file for all
shards; these files need no server or lock while they grow, and are read without a copy.)
"""

import os
import time
import zlib
from pathlib import Path

import numpy as np

from mu.files import naming
from mu.locks import Lock, Locked

FLUSH_EVERY_S = 1.0


def record_type(dim: int) -> np.dtype:
    """Type of a record with a vector of D numbers; a content hash is 64 hexadecimal digits."""
    return np.dtype([("content_hash", "S64"), ("vector", "<f4", (dim,)), ("crc32", "<u4")])


def read_vectors(path: Path, dim: int) -> np.ndarray:
    """The good records of a file, memory-mapped; none where there is no file."""
    kind = record_type(dim)
    n = path.stat().st_size // kind.itemsize if path.is_file() else 0
    if n == 0:
        return np.empty(0, kind)
    records = np.memmap(path, kind, "r", shape=(n,))
    checked = kind.itemsize - 4
    for place in range(n):
        if zlib.crc32(records[place].tobytes()[:checked]) != records["crc32"][place]:
            return records[:place]
    return records


def _lock_of(path: Path) -> Lock:
    return Lock(path.with_suffix(".lock"))


def is_open(path: Path) -> bool:
    """Whether some process has a file of vectors open."""
    lock = _lock_of(path)
    try:
        lock.acquire()
    except Locked:
        return True
    lock.release()
    return False


class VectorFile:
    """A file of vectors, open for appending; only one process may have it open.

    Args:
      path: made if missing; what a kill left half-written at its end is cut off.
      dim: D.

    Raises:
      mu.locks.Locked: another process has it open.
    """

    def __init__(self, path: Path, dim: int):
        self._kind, self._path = record_type(dim), path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_of(path)
        self._lock.acquire()
        try:
            self._file = open(path, "ab")  # noqa: SIM115
            os.truncate(path, len(read_vectors(path, dim)) * self._kind.itemsize)
        except BaseException:
            self._lock.release()
            raise
        self._flushed = time.monotonic()

    def __enter__(self) -> "VectorFile":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with naming(self._path):
                self._file.close()
        finally:
            self._lock.release()

    def append(self, content_hash: str, vector: np.ndarray) -> None:
        """Appends a vector.

        It goes to the operating system, which a kill cannot undo (a power cut can), with the first one that comes after
        a second.
        """
        record = np.zeros((), self._kind)
        record["content_hash"], record["vector"] = content_hash.encode(), vector
        record["crc32"] = zlib.crc32(record.tobytes()[: self._kind.itemsize - 4])
        with naming(self._path):
            self._file.write(record.tobytes())
            if time.monotonic() - self._flushed > FLUSH_EVERY_S:
                self._file.flush()
                self._flushed = time.monotonic()
