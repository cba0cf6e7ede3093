"""The trials of a sweep, one after the other in one process.

The parameters of a trial follow from the seed and the trials before it (`mu.sweep.propose`), so a sweep that was killed
goes on as it would have been.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mu.config.base import ConfigError
from mu.console import explained
from mu.protocols import ProgressCallback
from mu.sweep.objective import Objective
from mu.sweep.propose import Sampler, propose
from mu.sweep.space import Space, grid_size
from mu.sweep.trial import Trial, best_of
from mu.training.memory import peak_memory_bytes

logger = logging.getLogger(__name__)

DEFAULT_TRIALS = 32
FAILURES = 3
"""So many trials may fail before one has succeeded."""
Save = Callable[[Sequence[Trial]], None]


class NoTrialSucceeds(RuntimeError):
    """Every trial so far has failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Which trials a sweep has.

    Attributes:
      space: that is searched.
      sampler: see `mu.sweep.propose.propose`.
      seed: of the sampler.
      count: how many trials there are.
      lag: trial n knows of the trials up to n - lag: as many run at once.
    """

    space: Space
    sampler: Sampler
    seed: int
    count: int
    lag: int = 1

    def known(self, number: int, trials: Sequence[Trial]) -> list[Trial]:
        """See `known_trials`."""
        return known_trials(number, trials, self.lag)

    def begin(self, number: int, trials: Sequence[Trial]) -> Trial:
        """Trial `number`; it has ended at once where an earlier one had its parameters."""
        known = self.known(number, trials)
        params = propose(self.space, self.sampler, self.seed, number, known)
        for earlier in known:
            if earlier.params == params and earlier.repeats is None:
                return dataclasses.replace(earlier, number=number, repeats=earlier.number, duration_s=0.0)
        return Trial(number=number, params=params)


def known_trials(number: int, trials: Sequence[Trial], lag: int) -> list[Trial]:
    """The trials that trial `number` may know of, whether or not they have ended, where `lag` run at once."""
    return list(trials[: max(number - lag + 1, 0)])


def trial_count(space: Space, sampler: Sampler, wanted: int | None) -> int:
    """How many trials there are: of a grid all combinations, or as many as are wanted.

    Raises:
      ConfigError: a grid has fewer, or cannot be; or Optuna is not installed.
    """
    propose(space, sampler, 0, 0, ())  # a sampler that cannot be had, or a grid without an end, is refused now
    if sampler != "grid":
        return DEFAULT_TRIALS if wanted is None else wanted
    size = grid_size(space)
    if wanted is not None and wanted > size:
        raise ConfigError(f"--trials={wanted}: the grid has {size:,} combinations")
    return size if wanted is None else wanted


def run_trials(
    plan: Plan,
    objective: Objective,
    trials: Sequence[Trial],
    folder_of: Callable[[Trial], Path],
    save: Save,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> list[Trial]:
    """Runs what is missing of a plan, one trial after the other in this process.

    Args:
      plan: of the trials.
      objective: what is measured of each.
      trials: those of before; one that had not ended runs again, and its own run goes on.
      folder_of: the folder of a trial.
      save: called with all trials when one begins, and when it has ended.
      progress: called with 'sweep', how many trials have ended, how many there are, and the best.

    Raises:
      NoTrialSucceeds: the first trials have all failed.
    """
    done = list(trials)
    for number in range(plan.count):
        if number == len(done):
            done.append(plan.begin(number, done))
            save(done)
        progress("sweep", number, plan.count, best_words(done))
        if not done[number].has_ended:
            trial = done[number]
            done[number] = run_trial(objective, trial, folder_of(trial), plan.known(number, done))
            save(done)
            logger.info(trial_words(done[number]))
        refuse_failures(done)
    progress("sweep", plan.count, plan.count, best_words(done))
    return done


def run_trial(objective: Objective, trial: Trial, folder: Path, known: Sequence[Trial]) -> Trial:
    """Runs one trial; the trial as it ended. What makes one trial impossible is its reason, and no error."""
    started = time.perf_counter()
    try:
        objective.check(trial.params)
        entries = objective.run(trial, folder, known)
        if not abs(entries["value"]) < float("inf"):
            raise ValueError(f"{objective.metric} is {entries['value']}: no unit has a number in it")
    except (ArithmeticError, MemoryError, RuntimeError, ValueError) as error:
        entries = {"state": "failed", "reason": explained(error)}
    entries |= {
        "duration_s": round(time.perf_counter() - started, 3),
        "peak_memory_bytes": peak_memory_bytes(()).get("host"),
    }
    return dataclasses.replace(trial, **entries)


def refuse_failures(trials: Sequence[Trial]) -> None:
    """Raises NoTrialSucceeds where trials have failed and none has succeeded."""
    ended = [trial for trial in trials if trial.has_ended]
    if len(ended) >= FAILURES and all(trial.state == "failed" for trial in ended):
        raise NoTrialSucceeds(f"the first {len(ended)} trials have all failed; the last: {ended[-1].reason}")


def best_words(trials: Sequence[Trial]) -> str:
    """'best 0.0712 (trial 4)'; empty where none is complete."""
    best = best_of(trials)
    return "" if best is None else f"best {best.value:.4f} (trial {best.number})"


def trial_words(trial: Trial) -> str:
    """A line about a trial that has ended."""
    told = f"{trial.value:.4f}" if trial.value is not None else f"failed: {trial.reason_line}"
    stopped = f", stopped at step {trial.evaluations[-1][0]:,}" if trial.state == "stopped" else ""
    return f"trial {trial.number}: {told}{stopped} ({trial.words})"
