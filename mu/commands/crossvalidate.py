"""`mu crossvalidate`: one config over all folds and several seeds; each clip is judged by models new to it."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu crossvalidate --config=experiments/esc10.py --folds=5 --workdir=runs/esc10
  mu crossvalidate --config=experiments/fsdd.py:speakers --folds=6 --seeds=0,1,2 --workdir=runs/fsdd_speakers
  mu crossvalidate --config=experiments/esc10.py:task=masked --folds=5 --workdir=runs/masked
  mu crossvalidate --config=experiments/esc10.py --folds=5 --workdir=runs/esc10_from_masked \\
     --config.init_from=runs/masked/seed{seed}/fold{fold}

The config must take the arguments fold and seed; {fold} and {seed} in an override stand for a run's own. Each run is
one of `mu train` in WORKDIR/seed0/fold0 and so on; those that are complete are not run again, one that was cut off goes
on. Predictions of a seed's folds are pooled into WORKDIR/seed0/evaluation; the table and WORKDIR/crossvalidation.json
give the mean over seeds with a 95 % bootstrap interval over recordings (or over what config.evaluation.group names),
each seed's value and each fold's. A task without targets leaves runs to start from, and nothing to pool.
"""


def main(argv: list[str]) -> int:
    """0 when all is done, 1 when a run failed, 2 when it was called wrongly."""
    parser = argparse.ArgumentParser(
        prog="mu crossvalidate",
        description="Train and test a config on every fold, for several seeds, and pool what was said of each clip.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, metavar="FILE[:ARG,...]", help="takes the arguments fold and seed")
    parser.add_argument("--folds", required=True, type=int, help="how many there are")
    parser.add_argument("--seeds", default="0", help="such as 0,1,2 (default 0)")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="holds all runs")
    arguments, rest = parser.parse_known_args(argv)

    from mu.commands.train import overrides
    from mu.config.base import ConfigError
    from mu.console import show_logs
    from mu.training.memory import keep_freed_memory

    if arguments.folds < 1:
        parser.error(f"--folds={arguments.folds}; there must be at least 1")
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds={arguments.seeds!r}; it takes numbers such as 0,1,2")
    if len(set(seeds)) < len(seeds) or min(seeds) < 0:
        parser.error(f"--seeds={arguments.seeds}; each must be given once, from 0 on")
    keep_freed_memory()
    show_logs()
    try:
        crossvalidate(arguments.config, arguments.workdir, arguments.folds, seeds, overrides(rest, parser))
    except ConfigError as error:
        print(f"mu crossvalidate: {error}", file=sys.stderr)
        return 2
    except (ArithmeticError, FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"mu crossvalidate: {error}", file=sys.stderr)
        return 1
    return 0


def crossvalidate(
    config: str, workdir: str, folds: int, seeds: Sequence[int], changes: Mapping[str, str]
) -> dict[str, Any]:
    """Runs what is missing and writes the pooled results.

    Args:
      config: FILE[:ARG,...].
      workdir: of all runs.
      folds: 0 to folds - 1 are run.
      seeds: each over all folds.
      changes: overrides, {'model.size': 'm'}; '{fold}' and '{seed}' in a value are replaced.

    Returns:
      What crossvalidation.json holds; of a task without targets, {}.

    Raises:
      ConfigError: the folds do not test every clip once, or a run that is complete had another config.
    """
    import jax

    from mu.evals.folds import mean_summary, pooled
    from mu.evals.results import evaluations_of, load, save
    from mu.files import write_json
    from mu.train import refuse_other_config, train

    runs = {(seed, fold): resolved(config, changes, seed, fold) for seed in seeds for fold in range(folds)}
    refuse_other_folds([runs[seeds[0], fold] for fold in range(folds)])
    folder = Path(workdir)
    by_seed: dict[int, list[Mapping[str, Any]]] = {seed: [] for seed in seeds}
    kind = ""
    commits: set[str] = set()
    for (seed, fold), one in runs.items():
        place = folder / f"seed{seed}" / f"fold{fold}"
        if evaluations_of(place):
            refuse_other_config(json.loads((place / "config.json").read_text()), json.loads(one.to_json()), place)
        else:
            print(f"Seed {seed}, fold {fold} of {folds}: {place}", flush=True)
            if not train(one, place):
                continue
            jax.clear_caches()
        commits.add(str(json.loads((place / "run.json").read_text())["commit"]))
        evaluation = load(place)
        kind = evaluation.folder.name
        by_seed[seed].append(evaluation.results)
    if not any(by_seed.values()):
        print(f"The runs in {folder} tell nothing of the clips: there is nothing to pool, but to start from.")
        return {}
    protocol = {"config": config, "changes": dict(changes), "folds": folds, "split": "pooled", "split_hash": ""}
    samples = runs[seeds[0], 0].evaluation.bootstrap_samples
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
    show(found)
    return found


def resolved(config: str, changes: Mapping[str, str], seed: int, fold: int) -> Any:
    """The config of one run."""
    from mu.config.overrides import load

    own = {key: value.replace("{fold}", str(fold)).replace("{seed}", str(seed)) for key, value in changes.items()}
    separator = "," if ":" in config else ":"
    return load(f"{config}{separator}fold={fold},seed={seed}", own)


def refuse_other_folds(configs: Sequence[Any]) -> None:
    """Raises ConfigError, before anything is trained, unless several folds test every clip once."""
    from mu.config.base import ConfigError
    from mu.config.resolve import build

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


def show(found: Mapping[str, Any]) -> None:
    """Prints a table a model: metrics with intervals, each seed's value, the worst fold."""
    from mu.evals.table import text_table

    seeds = found["seeds"]
    for name, metrics in found["rows"].items():
        rows = [[name, "mean over seeds", *(f"seed {seed}" for seed in seeds), "folds", "worst fold"]]
        for metric, row in metrics.items():
            known = [fold for fold, value in enumerate(row["folds"]) if not math.isnan(value)]
            worst = min(known, key=row["folds"].__getitem__, default=None)
            rows.append(
                [
                    metric,
                    f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
                    *(f"{value:.3f}" for value in row["seeds"].values()),
                    " ".join(f"{value:.3f}" for value in row["folds"]),
                    "" if worst is None else f"{row['folds'][worst]:.3f} (fold {worst})",
                ]
            )
        print(text_table(rows) + "\n")
    print(
        "Brackets: 95 % bootstrap interval of the mean over seeds, recordings drawn again; folds: means over seeds.\n"
        "roc_auc, average_precision and pearson of pooled folds compare scores of models that are not calibrated alike."
    )
