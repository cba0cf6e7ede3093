"""How long a run's steps take, what share of it is waiting for data, and how long it will go on."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Counts since the last report.

    Args:
      step: steps already taken.
      last_step: where the run ends.
    """

    def __init__(self, step: int, last_step: int):
        self._last_step = last_step
        self._begin(step)

    def _begin(self, step: int) -> None:
        self._step, self._start, self._waited_s, self._paused_s = step, time.perf_counter(), 0.0, 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent inside is time without data."""
        start = time.perf_counter()
        yield
        self._waited_s += time.perf_counter() - start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time spent inside (evaluation, checkpoints) does not count as training."""
        start = time.perf_counter()
        yield
        self._paused_s += time.perf_counter() - start

    def report(self, step: int, examples: float) -> dict[str, float]:
        """Since the last report: 'step_ms', 'examples_per_s', 'data_wait_share'; and 'left_s' to the end."""
        elapsed_s = max(time.perf_counter() - self._start - self._paused_s, 1e-9)
        steps = max(step - self._step, 1)
        found = {
            "step_ms": 1e3 * elapsed_s / steps,
            "examples_per_s": examples / elapsed_s,
            "data_wait_share": self._waited_s / elapsed_s,
            "left_s": (self._last_step - step) * elapsed_s / steps,
        }
        self._begin(step)
        return found
