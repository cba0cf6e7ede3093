"""`mu compare`: paired differences of two evaluations."""

import re
import sys
from typing import Any

from mu.commands.flags import CommandParser, check_flags
from mu.ranges import Count, Seed

EPILOG = """\
examples:
  mu compare runs/a runs/b                          the models of two runs
  mu compare runs/a:popularity runs/a:model         a baseline and the model of one run
  mu compare runs/a runs/b --metrics=ndcg@10 --json
  mu compare runs/esc10/seed0:mfcc_linear runs/esc10/seed0   on audio, all folds
  mu compare quickstart/id quickstart/run --metrics=recall@20    on plays, section by section
  mu compare runs/seeds_a runs/seeds_b              groups of seeds, two folders of `mu crossvalidate`

A and B are folders with evaluation.json, or work folders of runs; ':NAME' picks a recommender or baseline of the
table, by default the model. Of two folders of `mu crossvalidate` the seeds that both have are compared: their means,
and the difference in each. Only evaluations on the same units (users, plays, clips, ratings), split, targets, masks,
truth and groups are compared.

The difference is B less A, unit by unit, then averaged. The interval is a 95 % bootstrap over units, wider where there
are few units or few that differ (docs/intervals.md); p is that of a two-sided permutation test that swaps A and B at
random for each unit. Where units belong together (plays of a listener, clips of a recording), such groups are drawn and
swapped as a whole. Metrics that are no means over units (F1, ROC-AUC, correlation, coverage) have an interval, and no
p. Of two runs all this speaks of these two trained models: how much another seed would change them, only groups of
seeds can say.
"""


def main(argv: list[str]) -> int:
    """0 when compared, 1 when the two cannot be, 2 when it was called wrongly."""
    parser = CommandParser(
        prog="mu compare",
        description="Paired differences between two evaluations, with intervals and a permutation test.",
        epilog=EPILOG,
    )
    parser.add_argument("a", metavar="A", help="FOLDER or FOLDER:NAME")
    parser.add_argument("b", metavar="B", help="FOLDER or FOLDER:NAME")
    parser.add_argument(
        "--metrics",
        help="such as recall@10,ndcg@10; also of one section or target: discovery/recall@20 (default: all in both)",
    )
    parser.add_argument("--eval", metavar="NAME", help="which evaluation, of runs that have several")
    parser.add_argument(
        "--samples",
        type=int,
        help="of bootstrap and permutations (default: 10000; 1000 where groups of units are drawn, which takes longer)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of both (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    arguments = parser.parse(argv)
    check_flags(parser, arguments, samples=Count | None, seed=Seed)

    from mu.console import explained
    from mu.evals.compare import compare
    from mu.files import json_text

    try:
        # Names of sections hold a comma and a space.
        metrics = re.split(r",(?! )", arguments.metrics) if arguments.metrics else None
        compared = compare(arguments.a, arguments.b, metrics, arguments.samples, arguments.seed, arguments.eval)
    except (OSError, ValueError) as error:
        print(f"mu compare: {explained(error)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json_text(compared))
    else:
        _show(compared)
    return 0


def _show(compared: dict[str, Any]) -> None:
    from rich.console import Console

    from mu.console import bold_is_shown
    from mu.evals.few_units import interval_text
    from mu.evals.nouns import counted, noun
    from mu.evals.text_tables import rich_table, text_table

    over = counted(compared["n_units"], compared["unit"])
    if compared["cluster"] != compared["unit"]:
        over += f" of {counted(compared['n_clusters'], noun(compared['cluster']))}"
    print(f"A {compared['a']}\nB {compared['b']}\n{over}, the same in both", flush=True)
    for note in compared["notes"]:
        print(f"Note: {note}", flush=True)
    rows = [["metric", "A", "B", "B - A", "95 % interval"]]
    clear = []
    tested = any("p" in row for row in compared["metrics"].values())
    if tested:
        rows[0] += ["p", "B better", "A better"]
    seeds = list(next(iter(compared["metrics"].values()), {}).get("seeds", ()))
    rows[0] += [f"seed {seed}" for seed in seeds] + ["std"] * (len(seeds) > 1)
    for number, (name, row) in enumerate(compared["metrics"].items(), 1):
        interval = interval_text(row["low"], row["high"], "+.4f")
        cells = [name, f"{row['a']:.4f}", f"{row['b']:.4f}", f"{row['difference']:+.4f}", interval]
        if tested:
            cells += [f"{row['p']:.4f}", f"{row['b_better']:,}", f"{row['a_better']:,}"] if "p" in row else [""] * 3
        if seeds:
            cells += [f"{value:+.4f}" for value in row["seeds"].values()]
            cells += [] if row["std"] is None else [f"{row['std']:.4f}"]
        rows.append(cells)
        if row["low"] > 0 or row["high"] < 0:
            clear.append(number)
    if sys.stdout.isatty():
        Console().print(rich_table(rows, bold=clear if bold_is_shown() else ()))
    else:
        print(text_table(rows))
    if len(seeds) > 1:
        print(
            "A, B and B - A are means over the seeds. The interval says how B - A varies with the units, std (over "
            "seeds) how it varies with the seed."
        )
