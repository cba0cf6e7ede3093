"""Long work in a terminal: progress and log lines on standard error, and an orderly end on SIGTERM and Ctrl-C."""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

# Without a terminal (a log file, CI) a line this often at the most.
PLAIN_LINES_EVERY_S = 10.0
# Shared, so that lines appear above a bar and not inside it.
_console = Console(stderr=True)


def duration(seconds: float) -> str:
    """'42 s', '3 min 05 s' or '2 h 10 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def say(line: str) -> None:
    """A line on standard error, above the bar if there is one."""
    _console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Lines(logging.Handler):
    """Log records as lines on standard error; the library's own without a prefix."""

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        say(line if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {line}")


def show_logs() -> None:
    """Shows what the library logs, from INFO on: called by commands."""
    logger = logging.getLogger("mu")
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Orbax gives the root logger a handler of its own


class Progress:
    """Progress on standard error: a bar with the time left on a terminal, elsewhere a line now and then.

    A context manager. The work may have several stages, one after the other.
    """

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._stage: str | None = None
        self._first = self._start = self._shown = 0.0

    def __enter__(self) -> "Progress":
        if _console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = RichProgress(*columns, console=_console)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Shows how far a stage is.

        Args:
          stage: what is being done; another one than before begins a new bar.
          done: how much is done. The first value of a stage is what was done before it began.
          total: how much there is; 1.0 shows a percentage.
          note: shown behind the bar.
        """
        now = time.monotonic()
        count = f"{done:.0%}" if isinstance(total, float) else f"{done:,}/{total:,}"
        if stage != self._stage:
            if self._bar is not None and self._task is not None:
                self._bar.stop_task(self._task)
            if self._bar is not None:
                self._task = self._bar.add_task(stage, total=total, count=count, note=note)
                self._bar.update(self._task, completed=done)
            self._stage, self._first, self._start, self._shown = stage, done, now, now
        elif self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, count=count, note=note)
        elif now - self._shown >= PLAIN_LINES_EVERY_S:
            self._shown = now
            parts = [f"{stage} {count}"]
            if done > self._first:
                parts.append(f"{duration((now - self._start) * (total - done) / (done - self._first))} left")
            say(", ".join([*parts, *filter(None, [note])]))


class Interrupts:
    """Ends work in order on SIGTERM as on Ctrl-C; a context manager. Outside the main thread it does nothing.

    The first signal raises KeyboardInterrupt where it comes, within `noting` it is noted only. A second one finds the
    handlers from before: Python's raises KeyboardInterrupt, that of the command line has let it end the process.

    Attributes:
      signal: the number of the first signal, None before.
    """

    def __init__(self):
        self._raises = True
        self._handlers = {}
        self.signal: int | None = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            numbers = (signal.SIGTERM, signal.SIGINT)
            self._handlers = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
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
        """Raises KeyboardInterrupt if a signal came.

        Python ignores what a handler raises in a callback of the garbage collector or of an import, or in a `__del__`.
        """
        if self.signal is not None:
            raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        if _console.is_terminal:
            # A second signal may end the process, and a bar has hidden the cursor. Not by the console: the signal may
            # have come while that writes.
            os.write(sys.stderr.fileno(), b"\x1b[?25h")
        before = self._handlers[signal.SIGINT]
        if callable(before):
            with contextlib.suppress(KeyboardInterrupt):
                before(number, frame)
        if self._raises:
            raise KeyboardInterrupt
