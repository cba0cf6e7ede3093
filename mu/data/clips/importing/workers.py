"""Parallel processes that may die or hang: the task that did it is named, and the others go on.

Pools of `concurrent.futures` and loky break as a whole when a process dies. pebble names the task, but the second
attempt, the few tasks that wait at each worker, the end after a failed start and the order of Ctrl-C would still be
written around it, which is most of this file.
"""

import collections
import contextlib
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

_ATTEMPTS = 2  # a worker may die for another's sake (out of memory): the task gets a second chance

_END_S = 10.0  # a process that waits for a disk that is gone cannot even be ended, and is left behind


class Failed(NamedTuple):
    """A task that raised, that killed its worker twice, or that took too long.

    Attributes:
      reason: what happened.
      transient: whether it may have been the machine (no memory, a process killed from outside, a failing or slow
        disk, a permission) rather than the task.
    """

    reason: str
    transient: bool


def run(
    function: Callable[[Any], Any], tasks: Iterable[Any], workers: int, *, ahead: int = 2, limit_s: float = math.inf
) -> Generator[tuple[Any, Any]]:
    """Yields (task, function(task)) as they are done, in any order; a task that could not be done gives `Failed`.

    Processes are spawned, so `function` (and what it holds) and the tasks must be picklable, and a script that calls
    this needs `if __name__ == "__main__":`. Closing the generator ends the processes.

    Args:
      function: of a task.
      tasks: any number, taken as workers get free.
      workers: processes.
      ahead: tasks that a worker is given at once. With 2 it never stands still while its answer is on the way; with 1
        its next task never waits in the line between the processes, which large tasks fill.
      limit_s: seconds for one task, after which its process is ended and replaced.

    Raises:
      RuntimeError: a worker cannot even start.
    """
    pool: list[_Worker] = []
    try:
        for _ in range(workers):
            pool.append(_Worker(function))
        yield from _serve(pool, iter(tasks), ahead, limit_s)
    finally:
        for worker in pool:
            worker.stop()


def _serve(pool: list["_Worker"], tasks: Iterator[Any], ahead: int, limit_s: float) -> Iterator[tuple[Any, Any]]:
    again: collections.deque[tuple[Any, int]] = collections.deque()  # tasks of dead workers, with their attempts

    def give(worker: _Worker) -> None:
        while worker.ready and len(worker.sent) < ahead:
            if again:
                worker.give(*again.popleft())
            elif (task := next(tasks, _END)) is not _END:
                worker.give(task, 0)
            else:
                return

    while True:
        for worker in pool:
            give(worker)
        busy = {worker.connection: worker for worker in pool if worker.sent or not worker.ready}
        if not any(worker.sent for worker in pool) and not again and all(worker.ready for worker in pool):
            return
        began = [worker.began for worker in pool if worker.ready and worker.sent]
        left_s = None if limit_s == math.inf or not began else max(min(began) + limit_s - time.monotonic(), 0.0)
        arrived = wait(list(busy), left_s)
        for worker in pool:
            late = worker.ready and worker.sent and time.monotonic() - worker.began >= limit_s
            if late and worker.connection not in arrived:
                (task, _), *others = worker.sent
                worker.end()
                worker.restart()
                again.extend(others)
                yield task, Failed(f"it took more than {limit_s:g} s, and its process was ended", True)
        for connection in arrived:
            worker = busy[connection]  # pyright: ignore[reportArgumentType]
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                dead = worker.sent
                reason, transient = worker.restart()
                if dead:
                    task, attempts = dead.popleft()
                    again.extend(dead)
                    if attempts + 1 < _ATTEMPTS:
                        again.append((task, attempts + 1))
                    else:
                        yield task, Failed(f"the decoder crashed ({reason})", transient)
                continue
            worker.began = time.monotonic()
            if not worker.ready:
                worker.ready = True
            else:
                task, _ = worker.sent.popleft()
                yield task, answer


_END = object()


class _Worker:
    """A process, the line to it, and the tasks that it was given and has not answered."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function
        self._failed_starts = 0  # one after another
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.sent: collections.deque[tuple[Any, int]] = collections.deque()
        self.ready = False
        self.began = time.monotonic()  # with the first of its tasks
        self._process = context.Process(target=_work, args=(other, self._function), daemon=True)
        with _without_interrupts():
            self._process.start()
        other.close()  # so that the death of the process is seen here

    def give(self, task: Any, attempts: int) -> None:
        """Sends a task; a worker that has died meanwhile is found when its answer is waited for."""
        if not self.sent:
            self.began = time.monotonic()
        self.sent.append((task, attempts))
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def restart(self) -> tuple[str, bool]:
        """Replaces the dead process; says how it died, and whether another process killed it."""
        self._process.join(_END_S)
        code = self._process.exitcode or 0
        reason = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        killed = reason in ("SIGKILL", "SIGTERM")
        self._failed_starts = 0 if self.ready else self._failed_starts + 1
        if self._failed_starts and (not killed or self._failed_starts == _ATTEMPTS):
            raise RuntimeError(f"a worker process could not be started ({reason}); what it said is above")
        self.connection.close()
        self._start()
        return reason, killed

    def end(self) -> None:
        """Ends the process, which does not answer."""
        self._process.kill()

    def stop(self) -> None:
        """Ends the process, in whatever it is."""
        self.connection.close()
        self._process.terminate()
        self._process.join(_END_S)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started meanwhile never sees Ctrl-C, which a terminal sends to all; this one sees it after."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, function: Callable[[Any], Any]) -> None:
    """The life of a worker; ends when the other end of the line is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    # Decoders written in C print what they think of damaged files.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    connection.send(None)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = function(task)
        except Exception as error:  # whatever it is, it is this task's
            answer = Failed(f"{type(error).__name__}: {error}", isinstance(error, MemoryError | OSError))
        try:
            connection.send(answer)
        except OSError:
            return
