"""Files and folders that appear whole or not at all, JSON that every reader accepts, and locks between processes."""

import contextlib
import glob
import hashlib
import json
import math
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

PARTIAL = ".partial-"
"""Between the name of a folder and the process that writes it anew."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` at the end, and is removed after an error."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder beside `path` to write to; it takes the place of `path` at the end, and is removed after an error.

    A process that is killed meanwhile leaves the old folder whole: at `path`, or where `clear_leftovers` finds it.
    """
    path = Path(path)
    clear_leftovers(path)
    folder = path.with_name(f".{path.name}{PARTIAL}{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
        if path.exists():
            old = folder.with_name(f"{folder.name}-old")
            path.rename(old)
            folder.rename(path)
            shutil.rmtree(old)
        else:
            folder.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(path: str | os.PathLike[str]) -> None:
    """Removes what dead processes left of `replacing_folder`; brings back a folder that was not replaced in the end."""
    path = Path(path)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}{PARTIAL}*"):
        owner = leftover.name.rpartition(PARTIAL)[2].partition("-")[0]
        # A container gives its processes the same few numbers each time: this process's own is that of a dead one too.
        if not owner.isdigit() or (int(owner) != os.getpid() and _is_alive(int(owner))):
            continue
        if leftover.name.endswith("-old") and not path.exists():
            leftover.rename(path)
        else:
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Writes a file; a process that is killed meanwhile leaves the old file. Text is written as UTF-8."""
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def json_text(value: Any) -> str:
    """`value` as indented JSON; numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as JSON, whole; numbers that are not finite become null."""
    write_whole(path, json_text(value) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The value in a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def hash_file(path: str | os.PathLike[str]) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Locked(FileExistsError):
    """Another process has the lock; the message names it and its host."""


class Lock:
    """An exclusive lock between processes, on a file of its own; it ends with its process, however that ends.

    As a context manager it waits for its turn.

    Args:
      path: the lock's file. It is made, says which process has the lock, and stays.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = Path(path)
        self._lock = filelock.FileLock(path)

    def acquire(self, wait: bool = False) -> None:
        """Takes the lock.

        Args:
          wait: whether to wait until it is free.

        Raises:
          Locked: another process has it, and `wait` is not set.
        """
        try:
            self._lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout:
            raise Locked(f"{self._path.parent} is being written by another process ({self._owner()})") from None
        self._path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")

    def release(self) -> None:
        """Lets the lock go."""
        self._lock.release()

    def __enter__(self) -> "Lock":
        self.acquire(wait=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _owner(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8") or "unknown"
        except OSError:  # Windows lets nobody read a locked file
            return "unknown"
