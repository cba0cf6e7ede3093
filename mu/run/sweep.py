"""A sweep from its settings to its winner; `--over="model.dim=64|128"` says what is searched (`mu.run.space`)."""

import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

from mu.config.base import ConfigError
from mu.locks import writing
from mu.protocols import ProgressCallback
from mu.run.baseline_objective import BaselineObjective
from mu.run.config_objective import ConfigObjective, Train
from mu.run.objective import Objective, check_space
from mu.run.space import parse_space
from mu.run.sweep_folder import SweepFolder, SweepSettings
from mu.run.trial import Trial
from mu.run.trials import Plan, run_trials, trial_count
from mu.run.winner import summary

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep with its trials.

    Attributes:
      folder: of the sweep.
      metric: that was maximised, 'valid/ranking/ndcg@10'.
      trials: in order of their numbers.
      summary: of `mu.run.winner.summary`.
      finished: folder of the winner's test, None before; and the metric's name there.
    """

    folder: Path
    metric: str
    trials: list[Trial]
    summary: dict[str, Any]
    finished: dict[str, Any] | None


def sweep(
    settings: SweepSettings,
    workdir: str | os.PathLike[str],
    *,
    count: int | None = None,
    train: Train | None = None,
    finish: bool = False,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> Sweep:
    """Runs the trials that are missing, and chooses the best on the validation part.

    Args:
      settings: of the sweep.
      workdir: its folder; a sweep in it goes on.
      count: how many trials there are in all; None for all of a grid, else 32, or as many as there were.
      train: `mu.train.train`; not needed for a baseline.
      finish: whether the winner is measured on the test part, after which there are no more trials.
      progress: see `mu.run.trials.run_trials`.

    Raises:
      ConfigError: the settings are wrong, or the folder holds another sweep.
      NoTrialSucceeds: all trials have failed.
    """
    space, objective = parse_space(settings.over), objective_of(settings, train)
    check_space(objective, space)
    wanted = trial_count(space, settings.sampler, count)
    objective.check_metric()
    with writing(workdir) as place:
        folder = SweepFolder(place)
        folder.begin(settings, objective.config)
        trials = folder.trials
        if count is None:
            wanted = max(wanted, len(trials)) if settings.sampler == "grid" or not trials else len(trials)
        if folder.finished is not None and wanted > len(trials):
            raise ConfigError(
                f"{place} is finished: its winner has been measured on test, and more trials would be chosen by it; "
                "choose another --workdir"
            )
        plan = Plan(space=space, sampler=settings.sampler, seed=settings.seed, count=wanted)
        trials = run_trials(plan, objective, trials, folder.place, folder.write, progress)
        facts = summary(trials, objective.metric, folder.place)
        folder.write(trials, metric=objective.metric, summary=facts)
        if finish and folder.finished is None:
            if not facts:
                raise ConfigError("--finish: no trial is complete")
            done = objective.finish(trials[facts["winner"]], place / "winner", place / "trials")
            folder.write(trials, finished={"folder": os.path.relpath(done, place), "trial": facts["winner"]})
        finished = folder.finished
        return Sweep(
            folder=place,
            metric=objective.metric,
            trials=trials,
            summary=facts,
            finished=None if finished is None else dict(finished),
        )


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
