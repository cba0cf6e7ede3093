"""Long work in a terminal: progress and log lines on standard error, and errors in one line."""

import contextlib
import errno
import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from mu.durations import duration
from mu.own_code import traceback_of_own_code

# Without a terminal (a log file, CI) a line this often at the most.
PLAIN_LINES_EVERY_S = 10.0
# Work that takes longer is announced.
LONG_S = 2.0
# Shared, so that lines appear above a bar and not inside it.
_console = Console(stderr=True)


# What to do about an error of the system.
ADVICE = {
    errno.ENOSPC: "free some space there, or choose another folder",
    errno.EDQUOT: "free some space there, or choose another folder",
    errno.EFBIG: "the system lets no file grow so large (ulimit -f)",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "change its permissions, or choose another",
    errno.EPERM: "change its permissions, or choose another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of this path is a file; choose another",
    errno.EEXIST: "choose another, or move it away",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
}


# Control characters but for the end of a line and the tab, and what overrides the direction of writing.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def explained(error: BaseException) -> str:
    """An error as the end of a message: of the system's errors the path, what is wrong with it and what to do.

    One that comes from the user's own code has its traceback instead.
    """
    if own := traceback_of_own_code(error):
        return printable(f"your own code raised this\n{own}")
    if not isinstance(error, OSError) or error.errno is None or error.filename is None:
        return printable(str(error))
    advice = ADVICE.get(error.errno)
    return printable(f"{error.filename}: {error.strerror}" + (f"; {advice}" if advice else ""))


def printable(text: str) -> str:
    """A text of other people's for a terminal: what would move its cursor or turn its lines is shown as a sign."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def say(line: str) -> None:
    """A line on standard error, above the bar if there is one."""
    _console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


class _Announcement:
    """A line about some work, which is said once, when the work has taken `LONG_S` at a stretch."""

    def __init__(self, what: str):
        self._line = f"{what[:1].upper()}{what[1:]} ..."
        self._timer: threading.Timer | None = None
        self._is_said = False

    def start(self) -> None:
        if not self._is_said:
            self._timer = threading.Timer(LONG_S, self._say)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _say(self) -> None:
        self._is_said = True
        say(self._line)


_current = threading.local()
"""`announcement`: that of the innermost work of each thread."""


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Says what is being done, in a line on standard error, once it has taken `LONG_S`.

    Of work inside of other work the inner is said: the outer waits until the inner has ended.
    """
    outer: _Announcement | None = getattr(_current, "announcement", None)
    if outer is not None:
        outer.stop()
    announcement = _current.announcement = _Announcement(what)
    announcement.start()
    try:
        yield
    finally:
        announcement.stop()
        _current.announcement = outer
        if outer is not None:
            outer.start()


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def bold_is_shown() -> bool:
    """Whether standard output is a terminal that may be sent escape codes (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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

    A context manager. The work may have several stages, one after the other. Inside of another one nothing is shown but
    the other's line, at whose end the stage stands: trials of a sweep have one line.

    Args:
      may_end_sooner: the work may end before all is done, so the time left is the most that it takes.
    """

    _shown_one: "Progress | None" = None

    def __init__(self, may_end_sooner: bool = False) -> None:
        self._around: Progress | None = None
        self._last: tuple[str, float, float, str] | None = None
        self._at_most = "at most " if may_end_sooner else ""
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._stage: str | None = None
        self._first = self._start = self._shown = 0.0

    def __enter__(self) -> "Progress":
        self._around = Progress._shown_one
        if self._around is not None:
            return self
        Progress._shown_one = self
        if _console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}"),
                TextColumn(self._at_most.strip()),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = RichProgress(*columns, console=_console)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._around is None:
            Progress._shown_one = None
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
        if self._around is not None:
            self._around.inside(f"{stage} {_count(done, total)}")
            return
        self._last = stage, done, total, note
        self._show(stage, done, total, note)

    def inside(self, what: str) -> None:
        """Shows at the end of the line what work inside of this one is at."""
        if self._last is not None:
            stage, done, total, note = self._last
            self._show(stage, done, total, "; ".join(filter(None, [note, what])))

    def _show(self, stage: str, done: float, total: float, note: str) -> None:
        now, count = time.monotonic(), _count(done, total)
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
                parts.append(
                    f"{self._at_most}{duration((now - self._start) * (total - done) / (done - self._first))} left"
                )
            say(", ".join([*parts, *filter(None, [note])]))


def _count(done: float, total: float) -> str:
    """'3/12', or a percentage of what is no whole number."""
    return f"{done:.0%}" if isinstance(total, float) else f"{done:,}/{total:,}"
