"""Trials of a config: each a run of `mu train` that is measured on its validation part alone."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax

from mu.config.base import Config, ConfigError
from mu.config.overrides import load as load_config
from mu.config.paths import anchored
from mu.evals.result import Result
from mu.protocols import Split
from mu.run.build import build_run
from mu.run.check_metric import check_metric
from mu.run.refit import CHOSEN, ChosenSteps, choosing
from mu.run.validation import Validation
from mu.sweep.halving import halving
from mu.sweep.objective import VALID, measured_part, model_result, with_part
from mu.sweep.trial import Trial
from mu.training.memory import device_share

# Trials that differ in these are measured otherwise, or not measured: their values say nothing of each other.
NOT_SWEPT = (
    "data.path",
    "split",
    "evals",
    "best",
    "baselines",
    "mixture",
    "refit",
    "title",
    "published",
    "writers",
    "profile",
    "mesh",
)


class Train(Protocol):
    """`mu.train.train`, which lies above this package."""

    def __call__(
        self, config: Config, workdir: Path, *, part: str = "test", stop: Callable[[int, float], bool] | None = None
    ) -> Mapping[str, Mapping[str, Result]]:
        """Trains and evaluates; see `mu.train.train`."""
        ...


class ConfigObjective:
    """The model of a config, trained in `mu.train` and measured on its validation part.

    Args:
      config: FILE[:ARG,...].
      changes: overrides of every trial.
      metric: 'valid/ranking/ndcg@10'; None for the config's own, config.best.metric.
      halved: whether trials are stopped by successive halving.
      train: `mu.train.train`.

    Attributes:
      metric: as given, or the config's.
      config: resolved, without the parameters of a trial.
    """

    def __init__(self, config: str, changes: Mapping[str, str], metric: str | None, halved: bool, train: Train | None):
        self._file, self._halved, self._train = config, halved, train
        self._changes = {**changes, **({} if metric is None else {"best.metric": with_part(metric)})}
        self.config = anchored(load_config(config, self._changes), os.getcwd())
        self.metric = self.config.best.metric

    def check(self, params: Mapping[str, str]) -> None:
        """Raises ConfigError where a trial cannot have these parameters."""
        for key in params:
            if any(f"{key}.".startswith(f"{one}.") for one in NOT_SWEPT):
                raise ConfigError(
                    f"--over: {key}: trials that differ in it cannot be compared, or do not differ in what is "
                    "measured; sweep the model, the task, the batches or the optimizer"
                )
        self._trial_config(params)

    def measured_split(self) -> Split:
        """See `Objective.measured_split`; raises ConfigError also where the parts of the run do not fit."""
        run = build_run(self._trial_config({}))
        validation = Validation(run)
        measured = [VALID + name for name in validation.names]
        check_metric(self.metric, "--metric", validation.evaluators, measured)
        return run.split

    def run(self, trial: Trial, folder: Path, others: Sequence[Trial]) -> dict[str, Any]:
        """See `Objective.run`."""
        assert self._train is not None
        config = self._trial_config(trial.params)
        stop = halving(config.evaluate_every_steps, others) if self._halved else None
        results = self._train(config, folder, part="valid", stop=stop)
        evaluations = evaluations_in(folder, self.metric)
        step, value = max(evaluations, key=lambda one: one[1])
        evaluation, column = measured_part(self.metric)
        if column and results:
            value = model_result(results[evaluation]).values()[column]
        state = "complete" if not self._halved or not _was_stopped(config, evaluations, stop) else "stopped"
        share = device_share(jax.local_devices())
        return {"state": state, "value": value, "step": step, "evaluations": evaluations, "device_share": share}

    def finish(self, winner: Trial, folder: Path, trials: Path) -> Path:
        """Measures the winner on test beside the config's baselines.

        Its weights are those of its trial; with config.refit those of a run that begins anew and learns all but the
        test, for as many epochs as the trial has chosen.
        """
        assert self._train is not None
        config = load_config(self._file, {**self._changes, **winner.params})
        place = trials / winner.name
        if config.refit:
            with config.ignore_type():
                config.refit = CHOSEN
            folder.mkdir(exist_ok=True)
            ChosenSteps.of_run(place, folder).save(folder)
            place = folder
        self._train(config, place)
        return place

    def _trial_config(self, params: Mapping[str, str]) -> Config:
        """Of a trial: without baselines, which are the same in all, and without learning the validation part."""
        return choosing(load_config(self._file, {**self._changes, **params}))


def _was_stopped(
    config: Config, evaluations: Sequence[tuple[int, float]], stop: Callable[[int, float], bool] | None
) -> bool:
    step, value = evaluations[-1]
    return stop is not None and step < config.total_steps and stop(step, value)


def evaluations_in(folder: Path, metric: str) -> tuple[tuple[int, float], ...]:
    """(step, value) of each evaluation that a run has logged."""
    file = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    return tuple((line["step"], line[metric]) for line in lines if metric in line)
