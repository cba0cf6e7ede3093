"""Several trials of a sweep at once, each in a process of its own; how many, by their memory."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mu.baselines.memory import free_bytes
from mu.files import read_json, write_json
from mu.protocols import ProgressCallback
from mu.sweep.trial import Trial
from mu.sweep.trials import Plan, Save, best_words, refuse_failures, trial_words

logger = logging.getLogger(__name__)

ENDED = "trial.json"
"""In the folder of a trial: how it ended, written by its own process."""
LOG = "log.txt"
POLL_S = 0.1
SHARE = 0.8
"""Of the free memory that trials may fill: they do not all need the same."""
Launch = Callable[[Trial], subprocess.Popen[bytes]]
"""Starts the process of a trial, which writes `ENDED`."""


def run_parallel(
    plan: Plan,
    trials: Sequence[Trial],
    folder_of: Callable[[Trial], Path],
    save: Save,
    launch: Launch,
    progress: ProgressCallback,
) -> list[Trial]:
    """Runs what is missing of a plan, `plan.lag` trials at once.

    A trial begins once those that it may know of have ended: the trials are the same however long each takes.

    Args:
      plan: of the trials.
      trials: those of before.
      folder_of: the folder of a trial.
      save: called with all trials when one begins, and when it has ended.
      launch: starts a trial.
      progress: see `mu.sweep.trials.run_trials`.

    Raises:
      NoTrialSucceeds: the first trials have all failed.
      RuntimeError: a process ended without a result.
    """
    done, running = list(trials), dict[int, subprocess.Popen[bytes]]()
    with _ended_with(running):
        while True:
            while len(running) < plan.lag and (number := _next(plan, done, running)) is not None:
                if number == len(done):
                    done.append(plan.begin(number, done))
                save(done)  # first: the process reads it
                if not done[number].has_ended:
                    running[number] = launch(done[number])
            n_ended = sum(trial.has_ended for trial in done)
            progress("sweep", n_ended, plan.count, best_words(done))
            if not running:
                return done
            time.sleep(POLL_S)
            for number in [number for number, process in running.items() if process.poll() is not None]:
                done[number] = _ended(done[number], folder_of(done[number]), running.pop(number))
                save(done)
                logger.info(trial_words(done[number]))
                refuse_failures(done)


def _next(plan: Plan, trials: Sequence[Trial], running: dict[int, subprocess.Popen[bytes]]) -> int | None:
    """The first trial that has not ended and may begin; None where there is none."""
    for number in range(plan.count):
        waits = number not in running and (number >= len(trials) or not trials[number].has_ended)
        if waits and number <= len(trials):
            return number if all(trial.has_ended for trial in plan.known(number, trials)) else None
    return None


def _ended(trial: Trial, folder: Path, process: subprocess.Popen[bytes]) -> Trial:
    """What the process of a trial wrote."""
    if process.returncode or not (folder / ENDED).is_file():
        raise RuntimeError(
            f"trial {trial.number} ended with status {process.returncode} and no result; it says why in {folder / LOG}"
        )
    return Trial.from_json(read_json(folder / ENDED))


def write_ended(trial: Trial, folder: Path) -> None:
    """Writes how a trial ended, in its own process."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ENDED, trial.to_json())


def launched(argv: Sequence[str], folder: Path, n_at_once: int) -> subprocess.Popen[bytes]:
    """A process of a trial: what it prints goes to `LOG`, Ctrl-C does not reach it, and an accelerator is shared."""
    folder.mkdir(parents=True, exist_ok=True)
    share = f"{0.9 / n_at_once:.3f}"
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            argv,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={"XLA_PYTHON_CLIENT_MEM_FRACTION": share, **os.environ},
            start_new_session=True,
        )


@contextlib.contextmanager
def _ended_with(running: dict[int, subprocess.Popen[bytes]]) -> Iterator[None]:
    """Tells the processes to save and to leave where this one is left by an error or a signal, and waits for them."""
    try:
        yield
    except BaseException:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in running.values():
            process.wait()
        raise


def fitting(first: Trial) -> int:
    """How many trials like the first run at once: as fit the memory, and no more than half of the CPUs.

    With one CPU or two, or where the memory is not known, it is one: a trial takes all cores that it can use.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = [max(cpus // 2, 1)]
    free = free_bytes()
    if free is None or first.peak_memory_bytes is None:
        return 1
    counts.append(int(SHARE * free // first.peak_memory_bytes))
    if first.device_share is not None:
        counts.append(int(SHARE // first.device_share))
    return max(min(counts), 1)
