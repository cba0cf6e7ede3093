"""Many readers or one writer: queries of a server go on together, and an update waits for them and they for it."""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator

_gates: "weakref.WeakSet[Gate]" = weakref.WeakSet()


class Gate:
    """Lets any number of `reading()` blocks run at once, and a `writing()` block alone."""

    def __init__(self) -> None:
        self._open()
        _gates.add(self)

    def _open(self) -> None:
        self._changed = threading.Condition()
        self.lock = threading.Lock()  # for what readers count
        self._readers = 0
        self._writers = 0  # waiting or at work: new readers let them go first

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._writers == 0)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        with self._changed:
            self._writers += 1
            try:
                self._changed.wait_for(lambda: self._readers == 0)
            except BaseException:
                self._writers -= 1
                self._changed.notify_all()
                raise
            self._readers = -1  # at work
        try:
            yield
        finally:
            with self._changed:
                self._readers = 0
                self._writers -= 1
                self._changed.notify_all()


def _open_all() -> None:
    """A forked child has none of the threads that may have been inside."""
    for gate in _gates:
        gate._open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
