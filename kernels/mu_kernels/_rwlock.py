"""A readers-writer lock: queries of a server run together, an update runs alone."""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator

_locks: "weakref.WeakSet[ReadWriteLock]" = weakref.WeakSet()


class ReadWriteLock:
    """Lets any number of `reading()` blocks run at once, and a `writing()` block alone; writers go first.

    Attributes:
      counters: a plain lock, for what readers count.
    """

    def __init__(self) -> None:
        self._reset()
        _locks.add(self)

    def _reset(self) -> None:
        self._condition = threading.Condition()
        self.counters = threading.Lock()
        self._readers = 0
        self._writers = 0  # waiting or at work

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: self._writers == 0)
            self._readers += 1
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        with self._condition:
            self._writers += 1
            try:
                self._condition.wait_for(lambda: self._readers == 0)
            except BaseException:
                self._writers -= 1
                self._condition.notify_all()
                raise
            self._readers = -1  # at work
        try:
            yield
        finally:
            with self._condition:
                self._readers = 0
                self._writers -= 1
                self._condition.notify_all()


def _reset_all() -> None:
    """A forked child has none of the threads that may have been inside."""
    for lock in _locks:
        lock._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
