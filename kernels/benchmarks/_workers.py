"""A process a contestant: on CPUs of its own number, with its own environment, asked one at a time."""

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from _report import cpus

LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")


@contextlib.contextmanager
def _confined(threads: int, environment: dict[str, str]) -> Iterator[None]:
    """Processes started within may use `threads` CPUs and see these variables from their first instruction on."""
    before, usable = os.environ.copy(), cpus()
    os.environ.update({f"{library}_NUM_THREADS": str(threads) for library in LIBRARIES} | environment)
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, usable[-threads:])
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, usable)
        os.environ.clear()
        os.environ.update(before)


def _serve(pipe: Any, build: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        call, told = build(*arguments)
        pipe.send((True, told))
        while (message := pipe.recv()) is not None:
            pipe.send((True, call(*message)))
    except Exception:
        pipe.send((False, traceback.format_exc()))


class Worker:
    """`build(*arguments)`, in a new process, gives a function and what to tell of it; `call` calls the function.

    Attributes:
      told: what `build` told.

    Raises:
      RuntimeError: the process failed; with its traceback.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        build: Callable[..., tuple[Callable[..., Any], Any]],
        *arguments: Any,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, arguments), daemon=True)
        with _confined(threads, environment or {}):
            self._process.start()
        theirs.close()
        self.told = self._receive()

    def call(self, *arguments: Any) -> Any:
        self._pipe.send(arguments)
        return self._receive()

    def _receive(self) -> Any:
        try:
            well, answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the process of {self.name} died with status {self._process.exitcode}") from None
        if not well:
            raise RuntimeError(f"{self.name} failed:\n{answer}")
        return answer

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join()


def once(name: str, threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` in a process of its own."""
    with Worker(name, threads, _function, function) as worker:
        return worker.call(*arguments)


def _function(function: Callable[..., Any]) -> tuple[Callable[..., Any], None]:
    return function, None
