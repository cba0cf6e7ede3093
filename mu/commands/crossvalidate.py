"""`mu crossvalidate`: one config over all folds and several seeds; each clip is judged by models new to it."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu crossvalidate --config=experiments/esc10.py --folds=5 --workdir=runs/esc10
  mu crossvalidate --config=experiments/fsdd.py:speakers --folds=6 --seeds=0,1,2 --workdir=runs/fsdd_speakers

The config must take the arguments fold and seed. Each run is one of `mu train` in WORKDIR/seed0/fold0 and so on; those
that are complete are not run again, one that was cut off goes on. Predictions of a seed's folds are pooled into
WORKDIR/seed0/evaluation; the table and WORKDIR/crossvalidation.json give the mean over seeds with a 95 % bootstrap
interval over recordings (or over what config.evaluation.group names), each seed's value and each fold's.
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
    from mu.config import ConfigError
    from mu.training.memory import keep_freed_memory

    if arguments.folds < 1:
        parser.error(f"--folds={arguments.folds}; there must be at least 1")
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds={arguments.seeds!r}; it takes numbers such as 0,1,2")
    keep_freed_memory()
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
      changes: overrides, {'model.size': 'm'}.

    Returns:
      What crossvalidation.json holds.
    """
    import jax

    import mu.config
    from mu.evals import clip_scores
    from mu.train import train, write_json
    from mu.training.provenance import commit

    folder = Path(workdir)
    by_seed: dict[int, list[dict[str, clip_scores.ClipResult]]] = {}
    for seed in seeds:
        by_seed[seed] = []
        for fold in range(folds):
            place = folder / f"seed{seed}" / f"fold{fold}"
            separator = "," if ":" in config else ":"
            resolved = mu.config.load(f"{config}{separator}fold={fold},seed={seed}", changes)
            if not (place / "evaluation" / "evaluation.json").is_file():
                print(f"Seed {seed}, fold {fold} of {folds}: {place}", flush=True)
                train(resolved, place)
                jax.clear_caches()
            by_seed[seed].append(clip_scores.load(place)[0])
    protocol = {"config": config, "changes": dict(changes), "folds": folds, "split": "pooled", "split_hash": ""}
    samples = resolved.evaluation.bootstrap_samples
    names = list(by_seed[seeds[0]][0])
    rows: dict[str, Any] = {}
    for name in names:
        pooled = {seed: clip_scores.pooled(fold[name] for fold in by_seed[seed]) for seed in seeds}
        rows[name] = {}
        for metric, value, low, high in clip_scores.mean_summary(list(pooled.values()), samples):
            per_fold = [[fold[name].values()[metric] for fold in by_seed[seed]] for seed in seeds]
            rows[name][metric] = {
                "value": value,
                "low": low,
                "high": high,
                "seeds": {seed: pooled[seed].values()[metric] for seed in seeds},
                "folds": [sum(values) / len(values) for values in zip(*per_fold, strict=True)],
            }
    for seed in seeds:
        together = {name: clip_scores.pooled(fold[name] for fold in by_seed[seed]) for name in names}
        about = {**protocol, "part": "test", "seed": seed}
        clip_scores.save(folder / f"seed{seed}" / "evaluation", together, about, samples=samples, seed=0)
    found = {**protocol, "seeds": list(seeds), "rows": rows, "commit": commit()}
    write_json(folder / "crossvalidation.json", found)
    show(found)
    return found


def show(found: Mapping[str, Any]) -> None:
    """Prints a table a model: metrics with intervals, each seed's value, the worst fold."""
    from mu.evals.table import align

    seeds = found["seeds"]
    for name, metrics in found["rows"].items():
        rows = [[name, "mean over seeds", *(f"seed {seed}" for seed in seeds), "folds", "worst fold"]]
        for metric, row in metrics.items():
            worst = min(range(len(row["folds"])), key=row["folds"].__getitem__)
            rows.append(
                [
                    metric,
                    f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
                    *(f"{value:.3f}" for value in row["seeds"].values()),
                    " ".join(f"{value:.3f}" for value in row["folds"]),
                    f"{row['folds'][worst]:.3f} (fold {worst})",
                ]
            )
        print(align(rows) + "\n")
    print("Brackets: 95 % bootstrap interval of the mean over seeds, recordings drawn again; folds: means over seeds.")
