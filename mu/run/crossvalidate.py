"""One config over all folds and several seeds, pooled: every unit is predicted by models that did not learn from it.

A log has one fold, its split, and several seeds.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mu.config.base import Config, ConfigError
from mu.config.overrides import load as load_config
from mu.config.resolve import build
from mu.data.logs.interactions import Interactions
from mu.evals.folds import DOCUMENT, mean_summary, pooled
from mu.evals.leaders import MIXTURE
from mu.evals.nouns import plural
from mu.evals.result import Result
from mu.evals.results import Evaluation, evaluations_of, load, save
from mu.files import read_json, write_json
from mu.locks import writing
from mu.protocols import Data
from mu.run.same_run import refuse_other_config
from mu.run.workdir import RECORD

logger = logging.getLogger(__name__)


def crossvalidate(
    config: str,
    workdir: str | os.PathLike[str],
    folds: int,
    seeds: Sequence[int],
    changes: Mapping[str, str],
    train: Callable[[Config, Path], object],
) -> dict[str, Any]:
    """Runs what is missing and writes the pooled results.

    Args:
      config: FILE[:ARG,...].
      workdir: of all runs.
      folds: 0 to folds - 1 are run.
      seeds: each over all folds.
      changes: overrides, {'model.size': 'm'}; '{fold}' and '{seed}' in a value are replaced.
      train: trains a run in a folder (`mu.train.train`); false where it measured nothing.

    Returns:
      What crossvalidation.json holds: under 'evaluations' of each name each recommender's or predictor's metrics; of a
      task without targets, {}.

    Raises:
      ConfigError: the folds do not test every clip once, the seeds of a log do not share a split, or a run that is
        complete had another config.
    """
    runs = {(seed, fold): resolved(config, changes, seed, fold, folds) for seed in seeds for fold in range(folds)}
    check_parts([runs[seeds[0], fold] for fold in range(folds)], [runs[seed, 0] for seed in seeds])
    with writing(workdir) as folder:
        return _crossvalidate(runs, folder, {"config": config, "changes": dict(changes), "folds": folds}, train)


def _crossvalidate(
    runs: Mapping[tuple[int, int], Config],
    folder: Path,
    about: Mapping[str, Any],
    train: Callable[[Config, Path], object],
) -> dict[str, Any]:
    """Runs what is missing of {(seed, fold): config}, and pools, in a folder that nobody else writes."""
    seeds, folds = list(dict.fromkeys(seed for seed, _ in runs)), about["folds"]
    by_seed: dict[int, list[dict[str, Evaluation]]] = {seed: [] for seed in seeds}
    commits: set[str] = set()
    for (seed, fold), one in runs.items():
        place = folder / f"seed{seed}" / f"fold{fold}"
        if _is_measured(one, place):
            refuse_other_config(read_json(place / "config.json"), json.loads(one.to_json()), place)
        else:
            # Also where an evaluation measures nothing of the task: `train` alone knows which do.
            logger.info(f"Seed {seed}, fold {fold} of {folds}: {place}")
            if not train(one, place):
                continue
            jax.clear_caches()
        commits.add(str(read_json(place / RECORD)["commit"]))
        by_seed[seed].append({name: load(evaluated) for name, evaluated in evaluations_of(place).items()})
    if not any(by_seed.values()):
        logger.info(f"The runs in {folder} measure nothing, so there is nothing to pool; init_from can name them.")
        return {}
    protocol = {**about, "split": "pooled"}
    evaluations, over = {}, {}
    for name in by_seed[seeds[0]][0]:
        of_seed = {seed: [fold[name] for fold in by_seed[seed]] for seed in seeds}
        evaluations[name] = pooled_rows(of_seed)
        first = next(iter(of_seed[seeds[0]][0].results.values()))
        over[name] = plural(first.drawn_noun)
        for seed, evaluated in of_seed.items():
            card = {**protocol, "part": "test", "seed": seed}
            output = folder / f"seed{seed}" / "evaluation" / name
            save(output, pooled_results(evaluated), card, samples=evaluated[0].samples, seed=0)
    document = {**protocol, "seeds": seeds, "evaluations": evaluations, "over": over, "commits": sorted(commits)}
    write_json(folder / DOCUMENT, document)
    return document


def _is_measured(config: Config, place: Path) -> bool:
    """Whether all that a config asks for has been measured of the run in a folder."""
    folders = evaluations_of(place)
    if not config.evals or not set(config.evals) <= set(folders):
        return False
    for evaluated in map(load, folders.values()):
        left_out = evaluated.card.get("baselines_left_out", {})
        wanted = set(config.baselines) - set(left_out)
        if set(config.mixture) - set(left_out):
            wanted.add(MIXTURE)
        if not wanted <= set(evaluated.results):
            return False
    return True


def pooled_results(folds: Sequence[Evaluation]) -> dict[str, Result]:
    """Recommender or predictor -> its results on all folds as one."""
    return {name: pooled(fold.results[name] for fold in folds) for name in folds[0].results}


def pooled_rows(of_seed: Mapping[int, Sequence[Evaluation]]) -> dict[str, Any]:
    """Recommender or predictor -> metric -> the mean over seeds of the pooled value with its interval, and its parts.

    Args:
      of_seed: seed -> an evaluation on every fold.
    """
    whole = {seed: pooled_results(folds) for seed, folds in of_seed.items()}
    samples = next(iter(of_seed.values()))[0].samples
    rows: dict[str, Any] = {}
    for name in next(iter(whole.values())):
        results = {seed: one[name] for seed, one in whole.items()}
        values = {seed: result.values() for seed, result in results.items()}
        of_fold = [[fold.results[name].values() for fold in folds] for folds in of_seed.values()]
        rows[name] = {
            metric: {
                "value": value,
                "low": low,
                "high": high,
                "seeds": {seed: one[metric] for seed, one in values.items()},
                "std": float(np.std([one[metric] for one in values.values()], ddof=1)) if len(values) > 1 else None,
                "folds": [sum(one[metric] for one in fold) / len(fold) for fold in zip(*of_fold, strict=True)],
            }
            for metric, value, low, high in mean_summary(list(results.values()), samples)
        }
    return rows


def resolved(config: str, changes: Mapping[str, str], seed: int, fold: int, folds: int) -> Config:
    """The config of one run; where there is one fold the config need not take the argument `fold`."""
    own = {key: value.replace("{fold}", str(fold)).replace("{seed}", str(seed)) for key, value in changes.items()}
    separator = "," if ":" in config else ":"
    which = f"fold={fold},seed={seed}" if folds > 1 else f"seed={seed}"
    return load_config(f"{config}{separator}{which}", own)


def check_parts(of_folds: Sequence[Config], of_seeds: Sequence[Config]) -> None:
    """Checks, before anything is trained, that the results of runs can be pooled.

    Args:
      of_folds: the configs of the first seed, a fold each.
      of_seeds: those of the first fold, a seed each.

    Raises:
      ConfigError: several folds do not test every clip once, or several seeds on a log have different splits.
    """
    opened: list[tuple[Config, Data]] = []

    def split_of(config: Config) -> Any:
        if not opened or opened[-1][0] != config.data:  # data of many runs are read once
            opened[:] = [(config.data, build(config.data))]
        return build(config.split, opened[-1][1])

    first = split_of(of_folds[0])
    if isinstance(first.test, Interactions):
        if len(of_folds) > 1:
            raise ConfigError(
                f"--folds={len(of_folds)}: a log is not cut into folds, its split is {of_folds[0].split.name}; leave "
                "--folds out and give several --seeds=0,1,2"
            )
        if len({first.hash, *(split_of(one).hash for one in of_seeds[1:])}) > 1:
            raise ConfigError(
                f"config.split ({of_folds[0].split.name}) depends on the seed: the mean over seeds is over models that "
                "are tested on the same plays; give the split a seed of its own, such as --config.split.seed=0"
            )
        return
    tested: dict[str, int] = {}
    for fold, one in enumerate(of_folds):
        try:
            split = split_of(one) if fold else first
        except ValueError as error:
            raise ConfigError(f"--folds={len(of_folds)}: {error}") from None
        for clip in split.test.table["clip"]:
            if clip in tested:
                raise ConfigError(f"folds {tested[clip]} and {fold} both test clip {clip!r}")
            tested[clip] = fold
    n_clips = len(opened[-1][1])
    if len(of_folds) > 1 and len(tested) < n_clips:
        raise ConfigError(
            f"--folds={len(of_folds)} test {len(tested):,} of {n_clips:,} clips: "
            f"{of_folds[0].split.name} makes more folds"
        )
