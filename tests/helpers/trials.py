"""Random trials: each has a seed of its own, and one that fails keeps its input and says how to repeat it.

MU_TRIALS multiplies the number of trials (default 1); MU_SEED=N runs the trial of that seed alone.
"""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def seeds(n: int) -> list[int]:
    """The seeds of `n` trials, times MU_TRIALS; that of MU_SEED alone, if it is set."""
    if "MU_SEED" in os.environ:
        return [int(os.environ["MU_SEED"])]
    return list(range(round(n * float(os.environ.get("MU_TRIALS", "1")))))


@contextlib.contextmanager
def trial(seed: int, *inputs: Path, limit_s: int = 30) -> Iterator[None]:
    """Runs a trial, which fails after `limit_s` seconds.

    A failure keeps the files and folders `inputs` and tells their place, the seed and the command.
    """

    def too_long(number, frame):
        del number, frame
        pytest.fail(f"not done after {limit_s} s")  # which no code under test takes for an error of its own

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit_s)
    try:
        yield
    except BaseException as error:
        signal.alarm(0)
        kept = Path(tempfile.mkdtemp(prefix="mu-trial-"))
        for path in inputs:
            if path.is_dir():
                shutil.copytree(path, kept / path.name, symlinks=True)
            elif path.is_file():
                shutil.copy(path, kept)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        error.add_note(f"seed {seed}; its input is in {kept}; again: MU_SEED={seed} python -m pytest '{test}'")
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
