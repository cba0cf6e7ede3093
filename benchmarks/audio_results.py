"""Every audio experiment over all folds and seeds, and the table of what came out: `make results-audio`.

    python benchmarks/audio_results.py --data=FOLDER [--only=NAME,...] [--seeds=0,1,2] [--workdir=runs/audio]

FOLDER holds fsdd, esc10, philharmonia_notes and emotify, each with a table and an audio folder (the experiments'
docstrings say where they come from). Each run goes on where it stopped and complete ones are not run again;
docs/results.md and docs/results.json hold the experiments that are complete, with command, commit, machine and time.
"""

import argparse
import json
import time
from pathlib import Path

from mu.commands.crossvalidate import crossvalidate
from mu.commands.import_audio import main as import_audio
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor

ROOT = Path(__file__).resolve().parents[1]
# Name -> folder of the data, its table, rate of the stored copy (None reads the files).
LIBRARIES = {
    "fsdd": ("fsdd", "meta.csv", None),
    "philharmonia": ("philharmonia_notes", "meta.csv", 22050),
    "esc10": ("esc10", "meta.csv", 32000),
    "emotify": ("emotify", "tracks.csv", 16000),
}
# Name -> library, config, folds, metric, target, what the target is.
EXPERIMENTS = {
    "fsdd": ("fsdd", "experiments/fsdd.py", 1, "digit/accuracy", 0.98, "official split"),
    "fsdd_speakers": ("fsdd", "experiments/fsdd.py:speakers", 6, "digit/accuracy", 0.88, "leave one speaker out"),
    "philharmonia": ("philharmonia", "experiments/philharmonia.py", 5, "instrument/accuracy", 0.97, "pitch-disjoint"),
    "esc10": ("esc10", "experiments/esc10.py", 5, "class/accuracy", 0.90, "official folds"),
    "emotify": ("emotify", "experiments/emotify.py", 10, "genre/accuracy", 0.75, "folds by track"),
    "emotify_emotion": (
        "emotify",
        "experiments/emotify.py:target=emotion",
        10,
        "numbers/pearson",
        None,
        "folds by track",
    ),
}


def library(name: str, data: Path, workdir: Path) -> Path:
    """The imported clips of a data set, made where they are missing."""
    folder, table, rate = LIBRARIES[name]
    output = workdir / "data" / name
    if not (output / "clips.parquet").is_file():
        arguments = [str(data / folder / table), f"--root={data / folder}", f"--output={output}"]
        if import_audio(arguments + ([] if rate is None else ["--store", f"--store_rate_hz={rate}"])):
            raise SystemExit(f"the import of {data / folder} failed")
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
        source, config, folds, metric, target, protocol = EXPERIMENTS[name]
        clips = library(source, arguments.data, arguments.workdir)
        began = time.perf_counter()
        found = crossvalidate(
            str(ROOT / config), str(arguments.workdir / name), folds, seeds, {"data.path": str(clips)}
        )
        note(arguments.workdir / name / "seconds.json", time.perf_counter() - began)
        row = found["rows"]["model"][metric]
        baseline = found["rows"].get("mfcc_linear", {}).get(metric)
        record(
            name,
            {
                "experiment": config,
                "protocol": f"{protocol}, {folds} folds" if folds > 1 else protocol,
                "metric": metric,
                "value": row["value"],
                "low": row["low"],
                "high": row["high"],
                "seeds": {str(seed): value for seed, value in row["seeds"].items()},
                "folds": row["folds"],
                "target": target,
                "mfcc_linear": baseline and {key: baseline[key] for key in ("value", "low", "high")},
                "all": {key: one["value"] for key, one in found["rows"]["model"].items()},
                "command": f"mu crossvalidate --config={config} --folds={folds} --seeds={arguments.seeds}",
                "seconds": json.loads((arguments.workdir / name / "seconds.json").read_text()),
                "commits": found["commits"],
                "machine": processor(),
            },
        )


def note(file: Path, seconds: float) -> None:
    """Adds to the time that an experiment has taken so far: it may have been stopped and taken up."""
    before = json.loads(file.read_text()) if file.is_file() else 0.0
    file.write_text(json.dumps(before + seconds))


def record(name: str, row: dict) -> None:
    """Puts an experiment's row into docs/results.json and writes docs/results.md anew from all of them."""
    file = ROOT / "docs" / "results.json"
    rows = json.loads(file.read_text()) if file.is_file() else {}
    rows[name] = row
    file.write_text(json.dumps(rows, indent=2) + "\n")
    lines = [
        "# Audio experiments",
        "",
        "Written by `make results-audio` (`benchmarks/audio_results.py`). Values are means over seeds of all folds'",
        "predictions pooled; brackets are 95 % bootstrap intervals over recordings. Hyperparameters were chosen on",
        "validation parts; then the encoder learnt once more from training and validation parts for the steps chosen.",
        "The baseline is 120 statistics of MFCCs and a linear model.",
        "",
        "| experiment | protocol | metric | mu | seeds | MFCC + linear | target | worst fold | time, all seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key in EXPERIMENTS:
        if key not in rows:
            continue
        one = rows[key]
        base = one["mfcc_linear"]
        lines.append(
            f"| `{one['experiment']}` | {one['protocol']} | {one['metric']} | **{one['value']:.3f}** "
            f"[{one['low']:.3f}, {one['high']:.3f}] | {' '.join(f'{value:.3f}' for value in one['seeds'].values())} | "
            + (f"{base['value']:.3f} [{base['low']:.3f}, {base['high']:.3f}]" if base else "")
            + f" | {'' if one['target'] is None else one['target']} | {min(one['folds']):.3f} "
            f"| {one['seconds'] / 60:.0f} min |"
        )
    lines += ["", "| experiment | command | commit | machine |", "|---|---|---|---|"]
    for key in EXPERIMENTS:
        if key in rows:
            one = rows[key]
            commits = " ".join(commit[:12] for commit in one["commits"])
            lines.append(f"| {key} | `{one['command']}` | {commits} | {one['machine']} |")
    (ROOT / "docs" / "results.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
