"""sha256 of the input files, computed in a thread beside the import."""

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any


class InputHashes:
    """Hashes files in the background; a context manager, which stops the work at the end.

    Args:
      paths: the files; each is hashed once.
    """

    def __init__(self, paths: Sequence[Path]):
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._digests: dict[Path, Future[str]] = {
            path: self._pool.submit(file_digest, path, self._stop) for path in dict.fromkeys(paths)
        }

    def __enter__(self) -> "InputHashes":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def records(self) -> list[dict[str, Any]]:
        """Name, sha256 and bytes of each file, in order; waits for the hashes."""
        return [
            {"name": path.name, "sha256": digest.result(), "bytes": path.stat().st_size}
            for path, digest in self._digests.items()
        ]


def file_digest(path: str | os.PathLike[str], stop: threading.Event) -> str:
    """sha256 of the bytes of a file; gives up (with an empty text) once `stop` is set."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while not stop.is_set():
            if not (block := file.read(1 << 22)):
                return digest.hexdigest()
            digest.update(block)
    return ""
