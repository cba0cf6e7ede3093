"""An orderly end on SIGTERM as on Ctrl-C."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

# So long after an interrupt that Python ignored it is raised again.
AGAIN_AFTER_S = 0.1


class Interrupts:
    """Ends work in order on SIGTERM as on Ctrl-C; a context manager. Outside the main thread it does nothing.

    The first signal raises KeyboardInterrupt where it comes, within `noting` it is noted only. Python ignores what a
    handler raises in a callback of the garbage collector or of an import, or in a `__del__`: it is raised again a
    moment later. A second signal finds the handlers from before: Python's raises KeyboardInterrupt, that of the command
    line has let it end the process.

    Attributes:
      signal: the number of the first signal, None before.
    """

    def __init__(self):
        self._raises = True
        self._handlers = {}
        self._ended = False
        self._unraisable = sys.unraisablehook
        self.signal: int | None = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            numbers = (signal.SIGTERM, signal.SIGINT)
            self._handlers = {number: signal.signal(number, self._note) for number in numbers}
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._ignored
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        if self._handlers:
            sys.unraisablehook = self._unraisable
        if self.signal is None:
            self._restore()

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Meanwhile the first signal is noted only, for a loop to save and leave in order.

        What came before is raised at the beginning, what the loop has not seen at the end.
        """
        self._raises = False
        try:
            self.raise_noted()
            yield
        finally:
            self._raises = True
        self.raise_noted()

    def raise_noted(self) -> None:
        """Raises KeyboardInterrupt if a signal came."""
        if self.signal is not None:
            self._ended = True
            raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        if sys.stderr is not None and sys.stderr.isatty():
            # A second signal may end the process, and a bar has hidden the cursor. Not by the console: the signal may
            # have come while that writes.
            os.write(sys.stderr.fileno(), b"\x1b[?25h")
        before = self._handlers[signal.SIGINT]
        if callable(before):
            with contextlib.suppress(KeyboardInterrupt):
                before(number, frame)
        if self._raises:
            raise KeyboardInterrupt

    def _ignored(self, ignored: "sys.UnraisableHookArgs") -> None:
        """Raises an interrupt that Python ignored again; says what else it ignored."""
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            self._unraisable(ignored)
        elif self.signal is not None:
            timer = threading.Timer(AGAIN_AFTER_S, self._again)
            timer.daemon = True
            timer.start()

    def _again(self) -> None:
        """Raises KeyboardInterrupt in the main thread, unless the work has ended or sees to the signal itself."""
        if not self._ended and self._raises:
            number = ctypes.c_ulong(threading.main_thread().ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(KeyboardInterrupt))
