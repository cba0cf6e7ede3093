"""The pace of a run: time a step, share of it that waits for data, time left."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Counts steps, examples and waiting time since the last report.

    Args:
      step: steps already taken.
      last_step: where the run ends.
    """

    def __init__(self, step: int, last_step: int):
        self._last_step = last_step
        self.begin(step)

    def begin(self, step: int) -> None:
        """Counts from here: what has been since the last report (a first step's compilation) is left out."""
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
        """Since the last report: 'step_ms', 'examples_per_s', 'data_wait_share'; and 'left_s' to the end.

        Nothing where no step has been taken since.
        """
        steps = step - self._step
        if steps == 0:
            return {}
        elapsed_s = max(time.perf_counter() - self._start - self._paused_s, 1e-9)
        timing = {
            "step_ms": 1e3 * elapsed_s / steps,
            "examples_per_s": examples / elapsed_s,
            "data_wait_share": self._waited_s / elapsed_s,
            "left_s": (self._last_step - step) * elapsed_s / steps,
        }
        self.begin(step)
        return timing
