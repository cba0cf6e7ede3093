"""The ladder of public logs and of simulated worlds: `make results-ladder`.

    python benchmarks/ladder_results.py --data=FOLDER [--only=beauty,ml-100k,...] [--tune=16] [--workdir=runs/ladder]

FOLDER holds the raw files of the data sets (docs/results/how.md). Each log is imported, its rungs are fitted and
measured, options are chosen on validation, and what the log needs is asked. A log that is complete at this commit is
not run again; docs/results/ladder.md and ladder.json beside it hold what is complete, with command, commit, machine and
split.
"""

import argparse
import csv
import dataclasses
import gzip
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.evals.results import load
from mu.files import read_json, write_json, write_whole
from mu.ladder.needs import Need
from mu.ladder.run import DOCUMENT, TUNED, measure_ladder
from mu.quickstart.steps import import_world
from mu.training.memory import keep_freed_memory
from mu.training.provenance import commit
from mu.world.tables import write
from mu.world.world import simulate

ROOT = Path(__file__).resolve().parents[1]
CONFIG = str(ROOT / "experiments" / "closed_forms.py")
RESULTS = ROOT / "docs" / "results"
TEMPORAL = {
    "split.name": "mu.data.logs.splits:global_temporal",
    "split.valid_share": "0.1",
    "split.test_share": "0.1",
}
# Published rows are fitted on the training part alone, and the validation part is neither seen nor masked.
PREDEFINED = {
    "split.name": "mu.data.logs.splits:predefined",
    "refit": "False",
    "evals.ranking.test_sees_valid": "False",
    "evals.ranking.test_masks_valid": "False",
}


@dataclasses.dataclass(frozen=True)
class LogSet:
    """A log and how it is measured.

    Attributes:
      title: in the page.
      protocol: in words.
      importing: imports it to a folder from FOLDER.
      metric: by which the bar is said.
      changes: overrides of the config.
      tuned: whether options are chosen on validation.
      needs: whether it is asked what the log needs.
    """

    title: str
    protocol: str
    importing: Callable[[Path, Path], None]
    metric: str = "ndcg@10"
    changes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tuned: bool = True
    needs: bool = True


def lists(*names: str, attributes: str | None = None) -> Callable[[Path, Path], None]:
    """Imports a file of user-per-line lists, with the attributes of its items if a file has them."""

    def importing(data: Path, output: Path) -> None:
        table = None if attributes is None else attribute_table(data / attributes, output.with_suffix(".csv"))
        import_log([str(data / name) for name in names], output, LogImportOptions(format="lists", track_table=table))

    return importing


def parts(folder: str, extension: str, names: tuple[str, ...]) -> Callable[[Path, Path], None]:
    """Imports user-per-line lists of a split."""

    def importing(data: Path, output: Path) -> None:
        files: dict[str, Any] = {name: [str(data / folder / f"{name}.{extension}")] for name in names}
        import_log([], output, LogImportOptions(format="lists"), **files)

    return importing


def attribute_table(source: Path, output: Path) -> str:
    """Writes the attributes of items, JSON {item: [attribute, ...]}, as a table for `--track_table`; its path."""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        attributes = json.load(file)
    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track", "attributes"])
        writer.writerows([item, "|".join(map(str, own))] for item, own in attributes.items())
    return str(output)


def movielens(data: Path, output: Path) -> None:
    import_log([str(data / "ml-100k" / "ml-100k.inter.gz")], output, LogImportOptions())


def world(size: str) -> Callable[[Path, Path], None]:
    """Simulates a world and imports its plays."""

    def importing(data: Path, output: Path) -> None:
        del data
        raw = output.with_name(f"{output.name}_raw")
        if not raw.is_dir():
            write(simulate(size, 0), raw)
        import_world(raw, output)

    return importing


SETS = {
    "beauty": LogSet(
        "s3rec/Beauty",
        "leave-one-out: fitted on all but the last item, history masked, all 22,363 users",
        lists("s3rec/Beauty.txt.gz", attributes="s3rec/Beauty_item2attributes.json.gz"),
    ),
    "lastfm": LogSet(
        "s3rec/LastFM",
        "leave-one-out as Beauty; the order is that of tagging, and attributes would be made of the test's own events",
        lists("s3rec/LastFM.txt"),
    ),
    "lightgcnpp_lastfm": LogSet(
        "lightgcnpp_lastfm",
        "the published split, fitted on its training part, whose items are masked",
        parts("lightgcnpp_lastfm", "txt", ("train", "valid", "test")),
        changes=PREDEFINED,
    ),
    "lightgcnpp_ml-1m": LogSet(
        "lightgcnpp_ml-1m",
        "the published split, fitted on its training part, whose items are masked",
        parts("lightgcnpp_ml-1m", "txt.gz", ("train", "valid", "test")),
        changes=PREDEFINED,
    ),
    "gowalla": LogSet(
        "Gowalla",
        "the LightGCN split, training items masked; there is no validation part, so nothing is chosen",
        parts("gowalla", "txt.gz", ("train", "test")),
        metric="ndcg@20",
        changes={**PREDEFINED, "best.metric": "valid/ranking/ndcg@20"},
        tuned=False,
    ),
    "ml-100k": LogSet(
        "ml-100k, leave-one-out", "every rating a play; the last one of each user is the test", movielens
    ),
    "ml-100k_dated": LogSet(
        "ml-100k, one date for all",
        "the last tenth of all ratings is the test, the tenth before it validation",
        movielens,
        changes=TEMPORAL,
    ),
    "world": LogSet(
        "the world of the quickstart (`small`)",
        "the last tenth of all plays is the test, the tenth before it validation",
        world("small"),
        changes=TEMPORAL,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the data sets")
    parser.add_argument("--workdir", type=Path, default=Path("runs/ladder"), help="holds imports and ladders")
    parser.add_argument("--only", default=",".join(SETS), help="names, separated by commas")
    parser.add_argument("--tune", type=int, default=16, help="trials of each rung's options")
    arguments = parser.parse_args()
    keep_freed_memory()
    output = RESULTS / "ladder.json"
    rows = read_json(output) if output.is_file() else {}
    for name in arguments.only.split(","):
        if rows.get(name, {}).get("commit") == commit():
            continue
        rows[name] = measured(name, arguments.data, arguments.workdir, arguments.tune)
        write_json(output, rows)
        write_whole(RESULTS / "ladder.md", page(rows))
        print(f"{name}: {rows[name]['duration_s']:.0f} s, the bar is {rows[name]['bar']['rung']}", flush=True)


def imported(name: str, data: Path, workdir: Path) -> Path:
    """The folder of a log, made where it is missing."""
    log = workdir / name / "log"
    if not (log / "card.json").is_file():
        log.parent.mkdir(parents=True, exist_ok=True)
        SETS[name].importing(data, log)
    return log


def measured(name: str, data: Path, workdir: Path, tune: int) -> dict[str, Any]:
    """What ladder.json holds of a log."""
    one, start = SETS[name], time.monotonic()
    log = imported(name, data, workdir)
    output, trials = workdir / name / "ladder", tune if one.tuned else 0
    ladder = measure_ladder(str(log), output, config=CONFIG, changes=one.changes, tune=trials, ask_needs=one.needs)
    evaluation = load(ladder.folder, ladder.evaluation)
    return {
        **read_json(output / DOCUMENT),
        "log": {key: read_json(log / "card.json")[key] for key in ("users", "tracks", "events")},
        "rows": {rung: {key: row._asdict() for key, row in own.items()} for rung, own in evaluation.rows.items()},
        "trials": trials,
        "duration_s": time.monotonic() - start,
    }


INTRODUCTION = """\
# The ladder

Written by `make results-ladder MU_DATA=FOLDER` (`benchmarks/ladder_results.py`). Models that are fitted without
gradients, in seconds to minutes, on public logs and simulated worlds: what a trained model must beat. Every number is
over all users with a test item, ties as exact expectations, targets unseen in training counted as misses. Brackets are
95 % bootstrap intervals over users. **Bold**: the best of a column; `=`: the paired interval of its difference to the
best holds 0. Rows `*_tuned` have options chosen on the validation part ({trials} trials a rung beside its defaults,
TPE), then they were fitted again; the others have mu's defaults.

"""


def page(rows: Mapping[str, Any]) -> str:
    """docs/results/ladder.md."""
    rows = {name: rows[name] for name in SETS if name in rows}
    parts = [INTRODUCTION.format(trials=max(row["trials"] for row in rows.values())).strip()]
    bars = [
        f"| [{SETS[name].title}](#{name}) | {row['bar']['rung']} | {row['metric']} {row['bar']['value']:.4f} | "
        f"{', '.join(row['bar']['level']) or 'none'} |"
        for name, row in rows.items()
    ]
    header = "## The bar of each log\n\n| log | best | value | level with it |\n|---|---|---|---|"
    parts.append("\n".join([header, *bars]))
    parts += [section(name, row) for name, row in rows.items()]
    return "\n\n".join(parts) + "\n"


def section(name: str, row: Mapping[str, Any]) -> str:
    """A log: protocol, table, what it needs."""
    one, log = SETS[name], row["log"]
    metrics = [metric for metric in next(iter(row["rows"].values())) if metric.endswith(one.metric.partition("@")[2])]
    metrics = [metric for metric in metrics if metric.startswith(("recall", "ndcg"))]
    best = {metric: max(own[metric]["value"] for own in row["rows"].values()) for metric in metrics}
    level = {row["bar"]["rung"], *row["bar"]["level"]}
    lines = []
    for rung, own in sorted(row["rows"].items(), key=lambda item: -item[1][row["metric"]]["value"]):
        cells = []
        for metric in metrics:
            value = f"{own[metric]['value']:.4f}"
            value = f"**{value}**" if own[metric]["value"] == best[metric] else value
            sign = " =" if metric == row["metric"] and rung in level - {row["bar"]["rung"]} else ""
            cells.append(f"{value} [{own[metric]['low']:.4f}, {own[metric]['high']:.4f}]{sign}")
        lines.append(f"| {rung} | {' | '.join(cells)} |")
    options = [
        f"- {rung}{TUNED}: {', '.join(f'{key}={value}' for key, value in own.items()) or 'the defaults'}"
        for rung, own in row["options"].items()
    ]
    needs = [Need(**own) for own in row["needs"]]
    counts = f"{log['users']:,} users, {log['tracks']:,} items, {log['events']:,} plays"
    left_out = [f"{rung} is left out: {reason}" for rung, reason in row["left_out"].items()]
    return "\n".join(
        [
            f'<a id="{name}"></a>\n\n## {one.title}\n',
            f"{counts}; {one.protocol}.\n",
            f"| | {' | '.join(metrics)} |\n|---|{'---|' * len(metrics)}",
            *lines,
            *(["", "Chosen on validation:", "", *options] if options else []),
            *(["", "| needs | | |", "|---|---|---|"] if needs else []),
            *(f"| {need.what} | {need.answer} | {need.words} |" for need in needs),
            *(["", *left_out] if left_out else []),
            f"\nSplit `{row['split_hash'][:16]}`, commit `{str(row['commit'])[:12]}`, {row['machine']}, "
            f"{row['duration_s'] / 60:.0f} min.",
        ]
    )


if __name__ == "__main__":
    main()
