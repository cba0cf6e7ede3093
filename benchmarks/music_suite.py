"""The music suite for several encoders, one column each, into docs/results/music.md: part of `make results-audio`.

    python benchmarks/music_suite.py --data=FOLDER [--encoders=mfcc,mel_mean,random] [--only=TASK,...] [--head=mlp]

FOLDER holds the data sets of `mu.suite.music` and mir_single_clips. Encoders are what `mu probe --suite` takes: runs,
published weights, baselines. A task that is done is not run again, by this command or by `mu probe --suite`; encoders
and tasks that an earlier call has put into docs/results/music.json stay there.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

from mu.console import Progress
from mu.data.embeddings import encoder_title
from mu.embedding.opening import open_encoder
from mu.files import write_json, write_whole
from mu.suite.frames import event_rows
from mu.suite.music import TASKS
from mu.suite.run import SuiteOptions, run_suite, slug
from mu.suite.table import markdown_table
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "music.md"
INTRODUCTION = """\
# Encoders on one table

Written by `make results-audio MU_DATA=FOLDER` (`benchmarks/music_suite.py`). The encoders are frozen. Each is a column:

| column | encoder |
|---|---|
{encoders}

Each recording is one vector, the mean over tiles. A linear model (logistic or ridge regression) learns each attribute
from the vectors of the other folds; its penalty is chosen within them. Brackets are 95 % bootstrap intervals over what
is drawn; values are of all folds' predictions together. Bold is the largest value of a line, which says nothing of
whether it leads beyond the interval: `mu compare` pairs two. `mu probe --suite=music ENCODER --data=FOLDER` prints the
same table of one encoder ([how](../guides/own_audio.md#one-table-for-any-encoder)).

"""
DESCRIPTIONS = {
    "mfcc": "120 statistics of MFCCs (`mu.baselines.mfcc`), 22,050 Hz, tiles of 5 s",
    "mel_mean": "mean and deviation over time of 64 log-mel bands (`mu.baselines.mel_mean`), the same format",
    "random": "`mu.models.audio_encoder:AudioEncoder`, size xs, as it is initialised (seed 0), the same format",
}


ROWS = {"linear": "rows", "mlp": "mlp_rows"}
"""Head of the probes -> where music.json has its rows."""
MLP_SEEDS = (0, 1, 2)
MLP = """\
## A small network on the same vectors

One hidden layer of 128, its penalty chosen within the training folds (`--head=mlp`); means over three seeds.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the data sets")
    parser.add_argument("--encoders", default="mfcc,mel_mean,random", help="separated by commas")
    parser.add_argument("--only", default=",".join(task.name for task in TASKS), help="tasks, separated by commas")
    parser.add_argument("--workdir", type=Path, default=Path("runs/suite"), help="holds imports and results")
    parser.add_argument("--head", choices=("linear", "mlp"), default="linear", help="of the probes")
    parser.add_argument("--note", default="", help="a sentence about the machine, for the page")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    if unknown := set(only) - {task.name for task in TASKS}:
        parser.error(f"there is no task {min(unknown)!r}; there is: {', '.join(task.name for task in TASKS)}")
    tasks = [task for task in TASKS if task.name in only]
    options = SuiteOptions(arguments.head, MLP_SEEDS if arguments.head == "mlp" else (0,))
    file = PAGE.with_suffix(".json")
    document = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"encoders": {}}
    document["events"] = event_rows(arguments.data)
    for name in arguments.encoders.split(","):
        opened = open_encoder(name)
        output = arguments.workdir / slug(opened[1])
        with Progress() as progress:
            rows = run_suite(opened, tasks, arguments.data, arguments.workdir, output, options, progress.update)
        before = document["encoders"].get(name, {"hash": ""})
        if before["hash"] != opened[1]["hash"]:
            before = {}
        rows += [row for row in before.get(ROWS[arguments.head], []) if row["task"] not in only]
        rows.sort(key=lambda row: [task.name for task in TASKS].index(row["task"]))
        document["encoders"][name] = {
            **{key: before[key] for key in ROWS.values() if key in before},
            "description": DESCRIPTIONS.get(name) or encoder_title(opened[1]),
            "hash": opened[1]["hash"],
            ROWS[arguments.head]: rows,
            "commit": commit(),
            "machine": f"{available_cpus()} of {os.cpu_count()} cores of {processor()}",
            "note": arguments.note,
        }
        write_json(file, document)
        write_whole(PAGE, page(document))


def commit() -> str:
    """The commit of the repository, with '+' where files have changed since."""
    run = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], **run).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no", "mu"], **run).stdout
    return f"{head}+" if changed else head


def page(document: dict) -> str:
    """The tables as Markdown."""
    encoders = document["encoders"]
    described = "\n".join(f"| {name} | {one['description']} |" for name, one in encoders.items())
    lines = [INTRODUCTION.format(encoders=described)]
    linear = {name: one["rows"] for name, one in encoders.items() if one.get("rows")}
    lines += [markdown_table(linear), ""]
    lines += ["What the tasks are; one without a line above has not been measured:", ""]
    lines += ["| task | what is predicted, and the folds |", "|---|---|"]
    lines += [f"| {task.name} | {task.protocol} |" for task in TASKS]
    lines += ["", "The worst fold of each line, and the seconds of its task, embedding and probing:", ""]
    lines += [f"| task | metric | {' | '.join(linear)} |", f"|---|---|{'---|' * len(linear)}"]
    keys = dict.fromkeys((row["task"], row["metric"]) for rows in linear.values() for row in rows)
    for task, metric in keys:
        cells = []
        for rows in linear.values():
            row = next((row for row in rows if (row["task"], row["metric"]) == (task, metric)), None)
            cells.append("" if row is None else worst(row))
        lines.append(f"| {task} | {metric} | {' | '.join(cells)} |")
    if networks := {name: one["mlp_rows"] for name, one in encoders.items() if one.get("mlp_rows")}:
        lines += ["", MLP + markdown_table(networks)]
    lines += ["", "## Beats and onsets, by signal processing", ""]
    lines += [
        "What an encoder of frames has to beat: `mu.audio.beats` and `mu.audio.onsets` with their defaults, scored by",
        "mir_eval (beats within 70 ms, onsets within 50 ms). Each line is one recording of 3 to 33 s: an example",
        "of how the score is made, and no measurement of a population.",
        "",
        "| recording | F-measure | annotated | estimated |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['task']} | {row['value']:.3f} | {row['annotated']} | {row['estimated']} |"
        for row in document["events"]
    ]
    lines += ["", "| encoder | commit | machine |", "|---|---|---|"]
    for name, one in encoders.items():
        lines.append(f"| {name} | {one['commit']} | {'; '.join(filter(None, [one['machine'], one['note']]))} |")
    return "\n".join(lines) + "\n"


def worst(row: dict) -> str:
    """'.862 of 5; 24 + 106 s': the lowest fold of how many, embedding and probing."""
    folds = [value for value in row["folds"].values() if value is not None]
    least = f"{min(folds):.3f}" if folds else "undefined"
    return f"{least} of {len(row['folds'])}; {row['embedded_s']:.0f} + {row['probed_s']:.0f} s"


if __name__ == "__main__":
    main()
