"""One config over all folds and several seeds, pooled: every unit is predicted by models that did not learn from it."""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from mu.config.base import Config, ConfigError
from mu.config.overrides import load as load_config
from mu.config.resolve import build
from mu.evals.folds import mean_summary, pooled
from mu.evals.results import evaluations_of, load, save
from mu.files import read_json, write_json
from mu.run.same_run import refuse_other_config

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
      What crossvalidation.json holds; of a task without targets, {}.

    Raises:
      ConfigError: the folds do not test every clip once, or a run that is complete had another config.
    """
    runs = {(seed, fold): resolved(config, changes, seed, fold) for seed in seeds for fold in range(folds)}
    refuse_other_folds([runs[seeds[0], fold] for fold in range(folds)])
    folder = Path(workdir)
    by_seed: dict[int, list[Mapping[str, Any]]] = {seed: [] for seed in seeds}
    kind = ""
    commits: set[str] = set()
    for (seed, fold), one in runs.items():
        place = folder / f"seed{seed}" / f"fold{fold}"
        if evaluations_of(place):
            refuse_other_config(read_json(place / "config.json"), json.loads(one.to_json()), place)
        else:
            logger.info(f"Seed {seed}, fold {fold} of {folds}: {place}")
            if not train(one, place):
                continue
            jax.clear_caches()
        commits.add(str(read_json(place / "run.json")["commit"]))
        evaluation = load(place)
        kind = evaluation.folder.name
        by_seed[seed].append(evaluation.results)
    if not any(by_seed.values()):
        logger.info(f"The runs in {folder} predict nothing of the clips: there is nothing to pool, but to start from.")
        return {}
    protocol = {"config": config, "changes": dict(changes), "folds": folds, "split": "pooled"}
    samples = runs[seeds[0], 0].evals[kind].bootstrap_samples
    names = list(by_seed[seeds[0]][0])
    rows: dict[str, Any] = {}
    for name in names:
        whole = {seed: pooled(fold[name] for fold in by_seed[seed]) for seed in seeds}
        rows[name] = {}
        for metric, value, low, high in mean_summary(list(whole.values()), samples):
            per_fold = [[fold[name].values()[metric] for fold in by_seed[seed]] for seed in seeds]
            rows[name][metric] = {
                "value": value,
                "low": low,
                "high": high,
                "seeds": {seed: whole[seed].values()[metric] for seed in seeds},
                "folds": [sum(values) / len(values) for values in zip(*per_fold, strict=True)],
            }
    for seed in seeds:
        together = {name: pooled(fold[name] for fold in by_seed[seed]) for name in names}
        about = {**protocol, "part": "test", "seed": seed}
        save(folder / f"seed{seed}" / "evaluation" / kind, together, about, samples=samples, seed=0)
    found = {**protocol, "seeds": list(seeds), "rows": rows, "commits": sorted(commits)}
    write_json(folder / "crossvalidation.json", found)
    return found


def resolved(config: str, changes: Mapping[str, str], seed: int, fold: int) -> Config:
    """The config of one run."""
    own = {key: value.replace("{fold}", str(fold)).replace("{seed}", str(seed)) for key, value in changes.items()}
    separator = "," if ":" in config else ":"
    return load_config(f"{config}{separator}fold={fold},seed={seed}", own)


def refuse_other_folds(configs: Sequence[Any]) -> None:
    """Raises ConfigError, before anything is trained, unless several folds test every clip once."""
    tested: dict[str, int] = {}
    for fold, one in enumerate(configs):
        data = build(one.data)
        for clip in build(one.split, data).test.table["clip"]:
            if clip in tested:
                raise ConfigError(f"folds {tested[clip]} and {fold} both test clip {clip!r}")
            tested[clip] = fold
    if len(configs) > 1 and len(tested) < len(data):
        raise ConfigError(
            f"--folds={len(configs)} test {len(tested):,} of {len(data):,} clips: {one.split.name} makes more folds"
        )
