"""One writer: locks between processes, and folders that one process at a time writes.

A lock is a file that is there while a process has it. The system's own lock on that file (flock, on Windows a locked
byte) says who has it, so a lock ends with its process, however that ends. Not every file system tells its locks to
other machines; therefore the file also says which process on which host has it, and one of another host is believed.
"""

import contextlib
import errno
import glob
import json
import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mu.files import clear_leftovers, naming, replacing, replacing_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FOLDER_LOCK = ".mu.lock"
"""The lock of a folder, inside it."""
RETRY_S = 0.05
# What flock says where a file system has no locks.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
# Windows lets nobody read a locked byte: one behind all that is written.
_LOCKED_BYTE = 1 << 30


class Locked(FileExistsError):
    """Another process has the lock; the message names it and its host."""


class Lock:
    """An exclusive lock between processes. As a context manager it waits for its turn.

    Args:
      path: the lock's file, there while a process has the lock.
      what: that is written, for the message; None for the folder of `path`.
    """

    def __init__(self, path: str | os.PathLike[str], what: str | os.PathLike[str] | None = None):
        self._path = Path(path)
        self._what = self._path.parent if what is None else what
        self._file: int | None = None

    def acquire(self, wait: bool = False) -> None:
        """Takes the lock; what a dead process left of it is taken over.

        Args:
          wait: whether to wait while a living process has it.

        Raises:
          Locked: another process has it and `wait` is not set, or a process of another host has left it.
        """
        while not self._taken(wait):
            time.sleep(RETRY_S)

    def release(self) -> None:
        """Lets the lock go and removes its file."""
        file, self._file = self._file, None
        if file is None:
            return
        if sys.platform == "win32":  # an open file cannot be removed, nor one that the next process has opened
            os.close(file)
            with contextlib.suppress(OSError):
                self._path.unlink()
        else:
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)  # a forked child has the same open file, and would keep the lock
            os.close(file)

    def __enter__(self) -> "Lock":
        self.acquire(wait=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _taken(self, wait: bool) -> bool:
        """Takes the lock if it is free; False to try again."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = _lock(file)
            owner = _read(file)
            if locked is False:
                if not wait:
                    raise Locked(self._message(owner, "wait until it has ended, or choose another folder"))
                return False
            try:
                if not os.path.samestat(os.fstat(file), os.stat(self._path)):
                    return False  # it has been released, and the file is no longer the lock
            except FileNotFoundError:
                return False
            if owner and not _is_dead(owner, locked is True):
                if wait and locked is None and owner["boot"] == _boot():
                    return False
                raise Locked(
                    self._message(owner, f"if that process no longer runs, remove {self._path} and begin again")
                )
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, json.dumps(_this_process()).encode())
            self._file = file
            return True
        finally:
            if self._file is None:
                os.close(file)

    def _message(self, owner: dict[str, Any], advice: str) -> str:
        who = "another process"
        if owner:
            who = f"process {owner['process']} on {owner['host']} since {owner['since']} ({owner['command']})"
        return f"{self._what} is being written by {who}; {advice}"


@contextlib.contextmanager
def writing(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """The folder, made if missing, for this process alone to write; readers are not kept out.

    What was made and is empty at the end is removed. An error of the disk that names no file gets the folder's name.

    Raises:
      Locked: another process writes it.
      NotADirectoryError: it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file and no folder; choose another, or move that file away")
    with _made(folder), held(Lock(folder / FOLDER_LOCK)), naming(folder):
        _clear_partials(folder, "*")
        yield folder


@contextlib.contextmanager
def rewriting_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path`, for this process alone to write to; it takes the place of `path` at the end.

    The folder of `path` is made if missing, and removed after an error if nothing is in it.

    Raises:
      Locked: another process writes it.
    """
    path = Path(path)
    with _made(path.parent), held(beside(path)):
        _clear_partials(path.parent, glob.escape(path.name))
        with replacing(path) as partial:
            yield partial


@contextlib.contextmanager
def rewriting(folder: str | os.PathLike[str], check: Callable[[], object]) -> Iterator[Path]:
    """A new folder beside `folder`, for this process alone; it takes the place of `folder` at the end.

    Args:
      folder: to be replaced as a whole, or made (`mu.files.replacing_folder`).
      check: raises where `folder` must not be replaced; called when nobody else writes it.

    Raises:
      Locked: another process writes it.
    """
    folder = Path(folder)
    with _made(folder.parent), held(beside(folder)):
        clear_leftovers(folder)  # first: it may bring back a folder that must not be overwritten
        check()
        with replacing_folder(folder) as new:
            yield new


def _clear_partials(folder: Path, name: str) -> None:
    """Removes what dead processes left of `mu.files.replacing`; `name` is a pattern of what they were writing."""
    for partial in folder.glob(f".{name}.*.partial"):
        process = partial.name.removesuffix(".partial").rpartition(".")[2]
        if re.fullmatch(r"\d{1,9}", process) and not _is_alive(int(process)):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes a folder and those above it; what was made and is empty at the end is removed."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in missing:
            with contextlib.suppress(OSError):  # it is not empty
                one.rmdir()


@contextlib.contextmanager
def held(lock: Lock) -> Iterator[None]:
    """Has a lock, or raises `Locked`."""
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def beside(path: str | os.PathLike[str]) -> Lock:
    """The lock of a file or folder that is replaced as a whole: a file beside it."""
    path = Path(path)
    return Lock(path.with_name(f".{path.name}.lock"), path)


def _lock(file: int) -> bool | None:
    """Takes the system's lock of an open file; False where another process has it, None where there are no locks."""
    try:
        if sys.platform == "win32":
            os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _this_process() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "boot": _boot(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv)[:200],
    }


def _read(file: int) -> dict[str, Any]:
    """What the owner of a lock has written; {} where nothing whole is there."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        owner = json.loads(os.read(file, 1 << 16))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) and set(owner) == set(_this_process()) else {}


def _boot() -> str | None:
    """What tells this start of the machine from others, the same in all its containers; None where none is told."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.is_file() else None


def _is_dead(owner: dict[str, Any], locked: bool) -> bool:
    """Whether the process that has not released a lock has ended.

    Args:
      owner: what it has written.
      locked: whether the system's lock of the file was free: then no process of this machine has it.
    """
    if owner["boot"] is None or owner["boot"] != _boot():
        return owner["host"] == socket.gethostname() and (locked or owner["boot"] != _boot())
    # A container gives its processes the same few numbers each time: this process's own is that of a dead one too.
    return locked or owner["process"] == os.getpid() or not _is_alive(owner["process"])


def _is_alive(process: int) -> bool:
    """Whether there is a process of this number. On Windows, where asking would end it, it counts as alive."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
