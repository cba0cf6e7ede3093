"""A sweep from its settings to its winner; `--over="model.dim=64|128"` says what is searched (`mu.sweep.space`)."""

import dataclasses
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mu.config.base import ConfigError
from mu.locks import writing
from mu.protocols import ProgressCallback
from mu.sweep.folder import SweepFolder, SweepSettings
from mu.sweep.objective import Objective, check_space
from mu.sweep.of_baseline import BaselineObjective
from mu.sweep.of_config import ConfigObjective, Train
from mu.sweep.parallel import fitting, launched, run_parallel, write_ended
from mu.sweep.space import parse_space
from mu.sweep.trial import Trial
from mu.sweep.trials import NoTrialSucceeds, Plan, known_trials, run_trial, run_trials, trial_count
from mu.sweep.winner import summary

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep with its trials.

    Attributes:
      folder: of the sweep.
      metric: that was maximised, 'valid/ranking/ndcg@10'.
      trials: in order of their numbers.
      summary: of `mu.sweep.winner.summary`.
      finished: {'folder': of the winner's test, from that of the sweep; 'trial': its number}; None before `finish`.
    """

    folder: Path
    metric: str
    trials: list[Trial]
    summary: dict[str, Any]
    finished: Mapping[str, Any] | None


def sweep(
    settings: SweepSettings,
    workdir: str | os.PathLike[str],
    *,
    count: int | None = None,
    train: Train | None = None,
    finish: bool = False,
    parallel: int | Literal["auto"] | None = None,
    argv: Sequence[str] = (),
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> Sweep:
    """Runs the trials that are missing, and chooses the best on the validation part.

    Args:
      settings: of the sweep.
      workdir: its folder; a sweep in it goes on.
      count: how many trials there are in all; None for all of a grid, else 32, or as many as there were.
      train: `mu.train.train`; not needed for a baseline.
      finish: whether the winner is measured on the test part, after which there are no more trials.
      parallel: how many trials run at once, each in a process of its own: a number, or 'auto' for as many as the memory
        holds by the first; None for as many as before, at first one, in this process.
      argv: of a process that runs one trial of the sweep and writes `mu.sweep.parallel.ENDED`, but for its last word,
        '--trial=7'; needed for several at once.
      progress: see `mu.sweep.trials.run_trials`.

    Raises:
      ConfigError: the settings are wrong, or the folder holds another sweep.
      ValueError: the data are not those that the trials in the folder were measured on.
      NoTrialSucceeds: all trials have failed.
    """
    space, objective = parse_space(settings.over), objective_of(settings, train)
    check_space(objective, space)
    wanted = trial_count(space, settings.sampler, count)
    split = objective.measured_split()
    with writing(workdir) as place:
        folder = SweepFolder(place)
        folder.begin(settings, objective.config, split)
        wanted = wanted if count is not None or folder.count is None else folder.count
        if folder.finished is not None and wanted > len(folder.trials):
            raise ConfigError(
                f"{place} is finished: its winner has been measured on test, and more trials would be chosen by it; "
                "choose another --workdir"
            )
        folder.write(folder.trials, count=wanted)
        plan = Plan(space=space, sampler=settings.sampler, seed=settings.seed, count=wanted)
        if parallel == "auto" and folder.fitting is not None:
            parallel = folder.fitting  # trials follow from how many run at once: it is measured once
        elif parallel == "auto":
            first = _run(dataclasses.replace(plan, count=1), folder, objective, argv, progress)[0]
            parallel = fitting(first)
            folder.write(folder.trials, fitting=parallel)
            logger.info(f"{parallel} {'trial' if parallel == 1 else 'trials'} at once.")
        plan = dataclasses.replace(plan, lag=folder.parallel if parallel is None else parallel)
        trials = _run(plan, folder, objective, argv if plan.lag > 1 else (), progress)
        facts = summary(trials, objective.metric, folder.place)
        folder.write(trials, metric=objective.metric, summary=facts)
        if finish and folder.finished is None:
            if not facts:
                raise NoTrialSucceeds("no trial is complete: there is no winner to measure")
            done = objective.finish(trials[facts["winner"]], place / "winner", place / "trials")
            folder.write(trials, finished={"folder": os.path.relpath(done, place), "trial": facts["winner"]})
        return Sweep(folder=place, metric=objective.metric, trials=trials, summary=facts, finished=folder.finished)


def _run(
    plan: Plan, folder: SweepFolder, objective: Objective, argv: Sequence[str], progress: ProgressCallback
) -> list[Trial]:
    """Runs what is missing of a plan: in processes of `argv`, or in this one where there is no such command."""

    def launch(trial: Trial) -> subprocess.Popen[bytes]:
        return launched([*argv, f"--trial={trial.number}"], folder.place(trial), plan.lag)

    trials = folder.trials
    folder.write(trials, parallel=plan.lag)
    if argv:
        return run_parallel(plan, trials, folder.place, folder.write, launch, progress)
    return run_trials(plan, objective, trials, folder.place, folder.write, progress)


def sweep_trial(
    settings: SweepSettings, workdir: str | os.PathLike[str], number: int, train: Train | None = None
) -> None:
    """Runs one trial of a sweep that another process writes, and writes how it ended into the folder of the trial.

    Args:
      settings: of the sweep.
      workdir: its folder.
      number: of the trial.
      train: `mu.train.train`.

    Raises:
      ConfigError: the sweep has no such trial.
    """
    folder, objective = SweepFolder(Path(workdir)), objective_of(settings, train)
    trials = folder.trials
    if number >= len(trials):
        raise ConfigError(f"--trial={number}: the sweep in {workdir} has begun {len(trials)} trials")
    known = known_trials(number, trials, folder.parallel)
    write_ended(run_trial(objective, trials[number], folder.place(trials[number]), known), folder.place(trials[number]))


def objective_of(settings: SweepSettings, train: Train | None = None) -> Objective:
    """What the trials of a sweep measure.

    Raises:
      ConfigError: the settings name neither a config nor a baseline with a log, or what they name cannot be.
    """
    if settings.baseline is not None:
        if settings.halving:
            raise ConfigError("--halving: a baseline has no steps to be stopped at")
        if settings.log is None and settings.config is None:
            raise ConfigError("--baseline needs --log=LOG, or --config=FILE for its data, split and evaluations")
        return BaselineObjective(settings.baseline, settings.log, settings.config, settings.changes, settings.metric)
    if settings.config is None or settings.log is not None:
        raise ConfigError("give --config=FILE, or --log=LOG with --baseline=PACKAGE.MODULE:CLASS")
    return ConfigObjective(settings.config, settings.changes, settings.metric, settings.halving, train)
