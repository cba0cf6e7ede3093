"""The ladder of a log: counting models, neighbours and closed forms on its test part, the bar for trained models."""

import dataclasses
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.config.base import Config, ConfigError, base
from mu.config.overrides import load as load_config
from mu.config.overrides import with_overrides
from mu.config.paths import anchored
from mu.config.resolve import build
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.evals.leaders import leaders
from mu.evals.result import Result
from mu.evals.results import evaluations_of
from mu.files import write_json
from mu.ladder.needs import Need, needs
from mu.locks import writing
from mu.protocols import Data, Evaluator, ProgressCallback
from mu.run.check_metric import check_metric
from mu.run.evaluation import Measured, build_baselines, evaluator_on, fitted_baselines, measure
from mu.sweep.default_spaces import SPACES_OF_BASELINES
from mu.sweep.folder import SweepSettings
from mu.sweep.objective import measured_by, measured_part, with_part
from mu.sweep.of_baseline import BASELINE
from mu.sweep.run import Sweep, sweep
from mu.training.provenance import host_provenance

logger = logging.getLogger(__name__)

TUNED = "_tuned"
"""Behind the name of a rung whose options were chosen on validation."""
DOCUMENT = "ladder.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Ladder:
    """What stands in the folder of a ladder.

    Attributes:
      folder: its place.
      metric: by which the bar is said: 'ndcg@10'.
      evaluation: name of the evaluation that has it.
      results: name of a rung -> its result.
      left_out: name of a rung -> why it was not fitted.
      options: name of a tuned rung -> the options that were chosen; none where the defaults did best.
      needs: what the log asks of a model; empty where it was not asked.
    """

    folder: Path
    metric: str
    evaluation: str
    results: Mapping[str, Result]
    left_out: Mapping[str, str]
    options: Mapping[str, Mapping[str, Any]]
    needs: Sequence[Need]


def measure_ladder(
    log: str | None,
    output: str | os.PathLike[str],
    *,
    config: str | None = None,
    changes: Mapping[str, str] | None = None,
    tune: int = 0,
    ask_needs: bool = True,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> Ladder:
    """Fits every rung on what a run learns from, measures it on the test part, and says what the log needs.

    Args:
      log: folder of the log; None for that of the config.
      output: folder of the results: evaluation/NAME as of a run, ladder.json, and the sweeps of `tune`. Results of a
        ladder before are replaced or removed; its sweeps go on.
      config: FILE[:ARG,...] for the split, the evaluations and the rungs (its baselines); None for the defaults.
      changes: overrides of it, such as {'split.name': ...}.
      tune: trials of each rung's options on validation; 0 for the defaults alone.
      ask_needs: whether `mu.ladder.needs.needs` is asked.
      progress: is called with a stage, how much of it is done, of how much, and a note.

    Raises:
      ConfigError: the config is wrong, its data are no log of plays, or `output` is the folder of a run or a sweep, or
        holds evaluations that no ladder wrote.
      ValueError: a rung lacks something in the data.
      Locked: another process writes `output`.
    """
    resolved = ladder_config(log, config, changes or {})
    _refuse_folder(Path(output))
    split = build(resolved.split, build(resolved.data))
    if not isinstance(split.train, Interactions):
        raise ConfigError(f"{resolved.data.path} is no log of plays; a ladder is of a log")
    if tune and not len(split.valid):
        raise ConfigError(f"the split {split.name} has no validation plays to choose options on: leave --tune out")
    train = split.train.merged(split.valid) if resolved.refit else split.train
    evaluators = _evaluators(resolved, split, train)
    build_baselines(resolved.baselines, train)  # what one lacks in the data is said before any is fitted or tuned
    with writing(output) as folder:

        def search(rung: str) -> Sweep:
            spec = resolved.baselines[rung]
            common = {key: text for key, text in (changes or {}).items() if not key.startswith("baselines.")}
            own = {f"{BASELINE}.{key}": str(value) for key, value in spec.items() if key != "name"}
            over = {"over": SPACES_OF_BASELINES[spec.name], "baseline": spec.name, "changes": {**common, **own}}
            settings = SweepSettings(log=log, config=config, seed=resolved.seed, **over)
            return sweep(settings, folder / "tuned" / rung, count=tune, progress=progress)

        options = _tuned(resolved, split, search) if tune else {}
        specs = dict(resolved.baselines)
        for name, chosen in options.items():
            if chosen:
                specs[f"{name}{TUNED}"] = {**specs[name], **chosen}
        recommenders, left_out = fitted_baselines(specs, train, progress)
        card = {"split": split.name, "split_hash": split.hash, "part": "test", "refit": resolved.refit}
        card |= host_provenance()
        evaluation, metric = measured_part(resolved.best.metric)
        document = {**card, "metric": metric, "evaluation": evaluation, "left_out": left_out, "options": options}
        write_json(folder / DOCUMENT, document)  # before the results, which are then those of a ladder if it is killed
        results = measure(evaluators, recommenders, card, folder / "evaluation", resolved.seed, progress)[evaluation]
        for name, place in evaluations_of(folder).items():
            if name not in evaluators:  # of a ladder before, with other evaluations: `mu compare` would offer it
                logger.info("Removing %s: this ladder has no such evaluation.", place)
                shutil.rmtree(place)
        asked = needs(resolved, split, progress) if ask_needs else []
        document |= {"bar": bar_of(results, metric), "needs": [dataclasses.asdict(one) for one in asked]}
        write_json(folder / DOCUMENT, document)
    return Ladder(folder, metric, evaluation, results, left_out, options, asked)


def _refuse_folder(folder: Path) -> None:
    """Raises ConfigError where a folder holds evaluations that no ladder wrote: a ladder replaces or removes them."""
    for other, what in (("config.json", "run"), ("sweep.json", "sweep")):
        if (folder / other).exists():
            raise ConfigError(f"{folder} is the folder of a {what}, whose evaluation would be replaced; choose another")
    if (folder / "evaluation").exists() and not (folder / DOCUMENT).exists():
        raise ConfigError(f"{folder / 'evaluation'} is of no ladder ({DOCUMENT} is not there); choose another folder")


def ladder_config(log: str | None, config: str | None, changes: Mapping[str, str]) -> Config:
    """The config of a ladder: the defaults as a refit, or a file's, with the log in place of its data."""
    loaded = base() if config is None else load_config(config, changes)
    if config is None:
        loaded.refit = True
    if log is not None:
        loaded.data.path = os.path.abspath(log)
    return anchored(with_overrides(loaded, changes if config is None else {}), os.getcwd())


def _evaluators(config: Config, split: Split, train: Data) -> dict[str, Evaluator[Measured, Result]]:
    """Those of the config on the test part; ConfigError where none has config.best.metric, or it describes lists."""
    evaluators = {name: evaluator_on(config, name, split, train, "test") for name in config.evals}
    measured, metric = measured_by(evaluators), config.best.metric
    if with_part(metric) in measured:
        measured.append(metric)  # its part may be left out
    check_metric(metric, "config.best.metric", evaluators, measured)
    return evaluators


def bar_of(results: Mapping[str, Result], metric: str) -> dict[str, Any]:
    """{'rung': the best, 'value', 'level': those that cannot be told from it}: what a trained model must beat.

    Where no rung has a value, 'rung' is '' and 'value' None.
    """
    ahead = leaders(results, [metric])[metric]
    value = results[ahead.best].values()[metric] if ahead.best else None
    return {"rung": ahead.best, "value": value, "level": list(ahead.level)}


def _tuned(config: Config, split: Split, search: Callable[[str], Sweep]) -> dict[str, dict[str, Any]]:
    """Rung -> the options with the largest metric on the validation part; a sweep each, which goes on after a stop.

    The defaults are a trial, too: where none is better, no option is chosen. A rung that does not fit is left out.

    Args:
      config: resolved.
      split: of the log.
      search: runs the sweep of a rung.
    """
    evaluation, metric = measured_part(config.best.metric)
    evaluator = evaluator_on(config, evaluation, split, split.train, "valid")
    chosen = {}
    for name in (one for one, spec in config.baselines.items() if spec.name in SPACES_OF_BASELINES):
        try:
            default = evaluator.run(build(config.baselines[name]).fit(split.train)).values()[metric]
        except MemoryError:
            continue
        done = search(name)
        winner = done.trials[done.summary["winner"]]
        assert winner.value is not None
        params = winner.params if winner.value > default else {}
        best = with_overrides(config, {f"baselines.{name}.{key}": text for key, text in params.items()}).baselines[name]
        chosen[name] = {key: best[key] for key in params}
    return chosen
