"""Every audio experiment over all folds and seeds, and the table of what came out: `make results-audio`.

    python benchmarks/audio_results.py --data=FOLDER [--only=NAME,...] [--seeds=0,1,2] [--workdir=runs/audio]

FOLDER holds fsdd, esc10, philharmonia_notes and emotify, each with a table and an audio folder (the experiments'
docstrings say where they come from). Each run goes on where it stopped and complete ones are not run again;
docs/results/audio.md and audio.json beside it hold the experiments that are complete, with command, commit, machine and
time.
"""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import NamedTuple

from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.run.crossvalidate import crossvalidate
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
# Name -> folder of the data, its table, rate of the stored copy (None reads the files).
LIBRARIES = {
    "fsdd": ("fsdd", "meta.csv", None),
    "philharmonia": ("philharmonia_notes", "meta.csv", 22050),
    "esc10": ("esc10", "meta.csv", 32000),
    "emotify": ("emotify", "tracks.csv", 16000),
}


INTRODUCTION = """\
# Audio experiments

Written by `make results-audio MU_DATA=FOLDER` (`benchmarks/audio_results.py`). Values are means over seeds of all
folds' predictions pooled; brackets are 95 % bootstrap intervals over recordings. Hyperparameters were chosen on
validation parts; a fold's validation clips are another fold's test clips, so the choice has seen every clip once. Then
the encoder learnt from training and validation parts for a number of steps set beforehand, and was tested once. The
baseline is 120 statistics of MFCCs and a linear model. "Training" is the time of all steps of all seeds and folds, by
their logs, without compiling and testing; "pace" is the median of clips a second in it, reading and decoding included,
and the share of the time that the step waits for them. A command is that of its commit: the key `start_from` is
`init_from` since.

| experiment | protocol | metric | mu | seeds | MFCC + linear | target | folds | training | pace |
|---|---|---|---|---|---|---|---|---|---|
"""


class Experiment(NamedTuple):
    """A row of the table.

    Attributes:
      library: name in `LIBRARIES`.
      config: FILE[:ARG,...] of `mu crossvalidate`.
      folds: how many there are.
      metric: that is shown.
      target: what it should reach, None where nothing was set.
      protocol: in words.
      starts_from: config of runs without labels, fold by fold, whose weights these start from.
    """

    library: str
    config: str
    folds: int
    metric: str
    target: float | None
    protocol: str
    starts_from: str | None = None


ESC10 = Experiment("esc10", "experiments/esc10.py", 5, "class/accuracy", 0.90, "official folds")
EMOTIFY = Experiment("emotify", "experiments/emotify.py", 10, "genre/accuracy", 0.75, "10 folds by track")
EXPERIMENTS = {
    "fsdd": Experiment("fsdd", "experiments/fsdd.py", 1, "digit/accuracy", 0.98, "official split"),
    "fsdd_speakers": Experiment(
        "fsdd", "experiments/fsdd.py:speakers", 6, "digit/accuracy", 0.88, "leave one speaker out"
    ),
    "philharmonia": Experiment(
        "philharmonia", "experiments/philharmonia.py", 5, "instrument/accuracy", 0.97, "pitch-disjoint folds"
    ),
    "esc10": ESC10,
    "esc10_from_masked": ESC10._replace(starts_from="experiments/esc10.py:task=masked"),
    "esc10_from_contrastive": ESC10._replace(starts_from="experiments/esc10.py:task=contrastive"),
    "emotify": EMOTIFY,
    "emotify_emotion": EMOTIFY._replace(
        config="experiments/emotify.py:target=emotion", metric="numbers/pearson", target=None
    ),
}


def library(name: str, data: Path, workdir: Path) -> Path:
    """The imported clips of a data set, made where they are missing."""
    folder, table, rate = LIBRARIES[name]
    output = workdir / "data" / name
    if not (output / "clips.parquet").is_file():
        stored = {} if rate is None else {"store": True, "store_rate_hz": rate}
        options = AudioImportOptions(root=str(data / folder), **stored)
        import_audio(str(data / folder / table), output, options)
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the data sets")
    parser.add_argument("--workdir", type=Path, default=Path("runs/audio"), help="holds the runs")
    parser.add_argument("--only", default=",".join(EXPERIMENTS), help="names, separated by commas")
    parser.add_argument("--seeds", default="0,1,2")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    for name in names:
        if name not in EXPERIMENTS:
            parser.error(f"there is no experiment {name!r}; there is: {', '.join(EXPERIMENTS)}")
    keep_freed_memory()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    for name in names:
        experiment = EXPERIMENTS[name]
        clips = library(experiment.library, arguments.data, arguments.workdir)
        workdir, before = arguments.workdir / name, arguments.workdir / f"{name}_before"
        changes, command = {"data.path": str(clips)}, ""
        if experiment.starts_from:
            crossvalidate(str(ROOT / experiment.starts_from), str(before), experiment.folds, seeds, changes, train)
            changes["init_from"] = f"{before}/seed{{seed}}/fold{{fold}}"
            command = typed(experiment.starts_from, experiment, arguments.seeds, f"{name}_before") + "; "
        pooled = crossvalidate(str(ROOT / experiment.config), str(workdir), experiment.folds, seeds, changes, train)
        command += typed(experiment.config, experiment, arguments.seeds, name)
        if experiment.starts_from:
            command += f" --config.init_from=runs/{name}_before/seed{{seed}}/fold{{fold}}"
        rows = pooled["evaluations"]["clips"]
        row, baseline = rows["model"][experiment.metric], rows["mfcc_linear"][experiment.metric]
        record(
            name,
            {
                "experiment": experiment.config.removeprefix("experiments/"),
                "starts_from": experiment.starts_from and experiment.starts_from.removeprefix("experiments/"),
                "protocol": experiment.protocol,
                "metric": experiment.metric,
                "value": row["value"],
                "low": row["low"],
                "high": row["high"],
                "seeds": {str(seed): value for seed, value in row["seeds"].items()},
                "folds": row["folds"],
                "target": experiment.target,
                "mfcc_linear": {key: baseline[key] for key in ("value", "low", "high")},
                "all": {key: one["value"] for key, one in rows["model"].items()},
                "command": command,
                "commits": pooled["commits"],
                **pace(workdir),
                "machine": f"{available_cpus()} of {os.cpu_count()} cores of {processor()}",
            },
        )


def typed(config: str, experiment: Experiment, seeds: str, name: str) -> str:
    """The command that does the same by hand, clips imported as the experiment's docstring says."""
    return f"mu crossvalidate --config={config} --folds={experiment.folds} --seeds={seeds} --workdir=runs/{name}"


def pace(workdir: Path) -> dict[str, float]:
    """What the logs of all runs say of the training's speed: its time, and medians."""
    timed, training_s = [], 0.0
    for file in sorted(workdir.glob("seed*/fold*/metrics.jsonl")):
        lines = [json.loads(line) for line in file.open(encoding="utf-8")]
        of_run = [line for line in lines if "data_wait_share" in line]
        training_s += lines[-1]["step"] * statistics.median(line["step_ms"] for line in of_run) / 1000
        timed += of_run
    return {
        "training_s": training_s,
        "clips_per_s": statistics.median(line["examples_per_s"] for line in timed),
        "data_wait_share": statistics.median(line["data_wait_share"] for line in timed),
    }


def record(name: str, row: dict) -> None:
    """Puts an experiment's row into docs/results/audio.json and writes docs/results/audio.md anew from all of them."""
    file = ROOT / "docs" / "results" / "audio.json"
    rows = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    rows[name] = row
    file.write_text(json.dumps(rows, indent=2) + "\n")
    (ROOT / "docs" / "results" / "audio.md").write_text(page(rows), encoding="utf-8")


def page(rows: dict[str, dict]) -> str:
    """The tables as Markdown."""
    lines: list[str] = INTRODUCTION.splitlines()
    for key in EXPERIMENTS:
        if key not in rows:
            continue
        one = rows[key]
        base = one["mfcc_linear"]
        start = f", from `{one['starts_from']}`" if one["starts_from"] else ""
        lines.append(
            f"| `{one['experiment']}`{start} | {one['protocol']} | {one['metric']} | **{one['value']:.3f}** "
            f"[{one['low']:.3f}, {one['high']:.3f}] | {' '.join(f'{value:.3f}' for value in one['seeds'].values())} | "
            f"{base['value']:.3f} [{base['low']:.3f}, {base['high']:.3f}] | "
            f"{'' if one['target'] is None else one['target']} | {' '.join(f'{fold:.2f}' for fold in one['folds'])} "
            f"| {one['training_s'] / 60:.0f} min | {one['clips_per_s']:.0f}/s, {one['data_wait_share']:.1%} |"
        )
    lines += ["", "| row | command | commit | machine |", "|---|---|---|---|"]
    for key in EXPERIMENTS:
        if key in rows:
            one = rows[key]
            commits = " ".join(commit[:12] for commit in one["commits"])
            lines.append(f"| {key} | `{one['command']}` | {commits} | {one['machine']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
