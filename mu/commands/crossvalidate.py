"""`mu crossvalidate`: one config over several seeds and, of clips, all folds, each tested by models new to it."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from mu.commands.flags import CommandParser, check_flags, whole_numbers

EPILOG = """\
examples:
  mu crossvalidate --config=experiments/esc10.py --folds=5 --workdir=runs/esc10
  mu crossvalidate --config=experiments/fsdd.py:speakers --folds=6 --seeds=0,1,2 --workdir=runs/fsdd_speakers
  mu crossvalidate --config=experiments/esc10.py:task=masked --folds=5 --workdir=runs/masked
  mu crossvalidate --config=experiments/esc10.py --folds=5 --workdir=runs/esc10_from_masked \\
     --config.init_from=runs/masked/seed{seed}/fold{fold}
  mu crossvalidate --config=experiments/lastfm_mf.py --seeds=0,1,2 --workdir=runs/lastfm_seeds

The config must take the argument seed and, with several folds, fold; {fold} and {seed} in an override stand for a run's
own. A log has one fold, its split, the same for all seeds. Each run is one of `mu train` in WORKDIR/seed0/fold0 and so
on; those that are complete are not run again, one that was cut off goes on. Predictions of a seed's folds are
pooled into WORKDIR/seed0/evaluation; the table and WORKDIR/crossvalidation.json give the mean over seeds with a 95 %
bootstrap interval over recordings (or what the import says belongs together; of a log over users), each seed's value
and each fold's, and the standard deviation over seeds. A task without targets leaves runs to start from, and nothing to
pool.
"""


def main(argv: list[str]) -> int:
    """0 when all is done, 1 when a run failed, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu crossvalidate",
        description="Train and test a config on every fold, for several seeds, and pool the predictions of each clip.",
        epilog=EPILOG,
    )
    parser.add_argument("--config", required=True, metavar="FILE[:ARG,...]", help="takes the arguments fold and seed")
    parser.add_argument("--folds", default=1, type=int, help="how many there are (default 1, the only one of a log)")
    parser.add_argument("--seeds", type=whole_numbers, default=(0,), metavar="S,...", help="such as 0,1,2 (default 0)")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="holds all runs")
    arguments, changes = parser.parse_with_overrides(argv)

    from mu.config.base import ConfigError
    from mu.console import explained, show_logs
    from mu.ranges import Count, Seed
    from mu.run.crossvalidate import crossvalidate
    from mu.train import train
    from mu.training.memory import keep_freed_memory

    check_flags(parser, arguments, folds=Count, seeds=tuple[Seed, ...])
    keep_freed_memory()
    show_logs()
    try:
        pooled = crossvalidate(arguments.config, arguments.workdir, arguments.folds, arguments.seeds, changes, train)
    except ConfigError as error:
        print(f"mu crossvalidate: {error}", file=sys.stderr)
        return 2
    except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
        print(f"mu crossvalidate: {explained(error)}", file=sys.stderr)
        return 1
    if pooled:
        show(pooled)
    return 0


def show(pooled: Mapping[str, Any]) -> None:
    """Prints a table for each evaluation and model: metrics with intervals, each seed's value, the worst fold.

    Folds are left out where there is one, the standard deviation over seeds where there is one seed.
    """
    from mu.console import terminal_width
    from mu.evals.few_units import interval_text
    from mu.evals.text_tables import text_table

    seeds = pooled["seeds"]
    by_fold, by_seed = pooled["folds"] > 1, len(seeds) > 1
    tables = [(evaluation, *table) for evaluation, rows in pooled["evaluations"].items() for table in rows.items()]
    for evaluation, name, metrics in tables:
        title = name if len(pooled["evaluations"]) == 1 else f"{evaluation}, {name}"
        columns = [*(f"seed {seed}" for seed in seeds), *(["std"] * by_seed), *(["folds", "worst fold"] * by_fold)]
        rows = [[title, "mean over seeds", *columns]]
        for metric, row in metrics.items():
            measured = [fold for fold, value in enumerate(row["folds"]) if not math.isnan(value)]
            worst = min(measured, key=row["folds"].__getitem__, default=None)
            rows.append(
                [
                    metric,
                    f"{row['value']:.3f} {interval_text(row['low'], row['high'], '.3f')}",
                    *(f"{value:.3f}" for value in row["seeds"].values()),
                    *([f"{row['std']:.3f}"] if by_seed else ()),
                    *([" ".join(f"{value:.3f}" for value in row["folds"])] if by_fold else ()),
                    *(["" if worst is None else f"{row['folds'][worst]:.3f} (fold {worst})"] if by_fold else ()),
                ]
            )
        print(text_table(rows, width=terminal_width()) + "\n")
    over = " or ".join(dict.fromkeys(pooled["over"].values()))
    lines = [f"Brackets: 95 % bootstrap interval of the mean over seeds, {over} drawn again"]
    if by_seed:
        lines.append("std: standard deviation over seeds")
    if by_fold:
        lines.append("folds: means over seeds")
    print("; ".join(lines) + ".")
    if by_fold:
        print(
            "roc_auc, average_precision and pearson of pooled folds compare scores of models that are not calibrated "
            "alike."
        )
