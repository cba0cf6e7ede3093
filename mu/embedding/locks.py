"""Locks that go with the process that holds them, however it ends."""

from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows has no such lock
    fcntl = None


def lock(file: IO[Any], *, wait: bool) -> bool:
    """Locks an open file until it is closed; False where another process has it and `wait` is not set."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
