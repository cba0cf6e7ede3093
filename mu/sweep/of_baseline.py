"""Trials of a baseline: fitted on the training part of a log, measured on its validation part."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.config.base import ConfigError, base
from mu.config.overrides import load as load_config
from mu.config.overrides import with_overrides
from mu.config.paths import anchored
from mu.config.resolve import build
from mu.data.logs.interactions import Interactions
from mu.protocols import Split
from mu.run.check_metric import check_metric
from mu.run.evaluation import evaluator_on, measure
from mu.sweep.objective import measured_by, measured_part, with_part
from mu.sweep.trial import Trial

TUNED = "baseline"
"""The name of the baseline in the config of its sweep."""
BASELINE = f"baselines.{TUNED}"
"""The key of its options there."""


class BaselineObjective:
    """A baseline, fitted on the training part of a log and measured on its validation part.

    Args:
      baseline: 'package.module:Class'.
      log: folder of the log; None for that of the config.
      config: FILE[:ARG,...] for the data, the split and the evaluations; None for the defaults.
      changes: overrides of them, such as {'split.name': ...}, and of the baseline: {'baselines.baseline.weights': ...}.
      metric: 'ranking/ndcg@10'; None for config.best.metric.

    Attributes:
      metric: as given, or the config's.
      config: resolved, with the baseline as `baselines.baseline` and no other.
    """

    def __init__(
        self, baseline: str, log: str | None, config: str | None, changes: Mapping[str, str], metric: str | None
    ):
        of_baseline = {key: text for key, text in changes.items() if key.startswith(f"{BASELINE}.")}
        others = {key: text for key, text in changes.items() if key not in of_baseline}
        loaded = base() if config is None else load_config(config, others)
        if log is not None:
            loaded.data.path = os.path.abspath(log)
        with loaded.ignore_type():
            loaded.baselines = {TUNED: {"name": baseline}}
        self.config = anchored(with_overrides(loaded, changes if config is None else of_baseline), os.getcwd())
        self.metric = self.config.best.metric if metric is None else with_part(metric)

    def check(self, params: Mapping[str, str]) -> None:
        """Raises ConfigError where the baseline does not take these parameters."""
        self._spec(params)

    def measured_split(self) -> Split:
        """See `Objective.measured_split`."""
        evaluation, _ = measured_part(self.metric)
        asked = [evaluation] if evaluation in self.config.evals else self.config.evals
        split = self._split
        evaluators = {name: evaluator_on(self.config, name, split, split.train, "valid") for name in asked}
        check_metric(self.metric, "--metric", evaluators, measured_by(evaluators))
        return self._split

    def run(self, trial: Trial, folder: Path, others: Sequence[Trial]) -> dict[str, Any]:
        """See `Objective.run`."""
        del others
        return {"state": "complete", "value": self._measure(trial, folder / "evaluation_valid", "valid")}

    def finish(self, winner: Trial, folder: Path, trials: Path) -> Path:
        """Fits the winner on training and validation, and measures it on test."""
        del trials
        self._measure(winner, folder / "evaluation", "test")
        return folder

    def _measure(self, trial: Trial, output: Path, part: str) -> float:
        split = self._split
        train = split.train.merged(split.valid) if part == "test" else split.train
        evaluation, column = measured_part(self.metric)
        model = build(self._spec(trial.params)).fit(train)
        card = {"split": split.name, "split_hash": split.hash, "part": part, "refit": part == "test"}
        card |= {"baseline": self.config.baselines[TUNED].name, "options": dict(trial.params)}
        evaluators = {evaluation: evaluator_on(self.config, evaluation, split, train, part)}
        results = measure(evaluators, {"model": model}, card, output, self.config.seed)
        return results[evaluation]["model"].values()[column]

    def _spec(self, params: Mapping[str, str]) -> Any:
        own = {f"{BASELINE}.{key}": value for key, value in params.items()}
        return with_overrides(self.config, own).baselines[TUNED]

    @functools.cached_property
    def _split(self) -> Split:
        """Of the log."""
        split = build(self.config.split, build(self.config.data))
        if not isinstance(split.train, Interactions):
            raise ConfigError(f"--baseline: {self.config.data.path} is no log of plays")
        return split
