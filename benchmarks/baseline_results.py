"""The baselines of docs/results/audio.md and docs/results/ratings.md again, without training an encoder.

    python benchmarks/baseline_results.py --data=FOLDER [--only=NAME,...] [--workdir=runs/baselines]

FOLDER is that of `make results-audio` and `make results-ratings`. Every baseline is fitted on the folds of its
experiment; each line shows the documented value and the new one, with 95 % bootstrap intervals over recordings. The
values go to WORKDIR/baselines.json.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rating_results
from audio_results import EXPERIMENTS, ROOT, library

from mu.baselines.mfcc import MFCCLinear
from mu.baselines.ratings import SmoothedRates
from mu.config.resolve import build
from mu.evals.folds import pooled
from mu.evals.protocols.clips import ClipPrediction
from mu.evals.protocols.ratings import RatingPrediction
from mu.evals.result import Result
from mu.run.crossvalidate import resolved

RATINGS = {
    "cohort_mean": lambda: SmoothedRates(by=("mother tongue", "gender", "age", "mood")),
    "genre_mean": lambda: SmoothedRates(by=("genre",)),
    **rating_results.BASELINES,
}
SAMPLES = 1000


def folds_of(config: str, n_folds: int, changes: Mapping[str, str]) -> Any:
    """(fold's training and validation clips together, its split, its config), fold by fold."""
    for fold in range(n_folds):
        one = resolved(str(ROOT / config), changes, 0, fold)
        split = build(one.split, build(one.data))
        yield split.train.merged(split.valid), split, one


def audio_row(name: str, data: Path, workdir: Path) -> dict[str, dict[str, float]]:
    """The row of MFCC statistics and a linear model of an experiment: metric -> value, low, high."""
    experiment = EXPERIMENTS[name]
    changes = {"data.path": str(library(experiment.library, data, workdir))}
    parts = []
    for train, split, config in folds_of(experiment.config, experiment.folds, changes):
        baseline = MFCCLinear(group=config.baselines.mfcc_linear.get("group")).fit(train)
        parts.append(ClipPrediction(split=split, part="test").run(baseline))
    return measured(pooled(parts))


def rating_row(name: str, data: Path, workdir: Path) -> dict[str, dict[str, float]]:
    """The row of a baseline of listeners' answers: metric -> value, low, high."""
    changes = {
        "data.clips.path": str(library("emotify", data, workdir)),
        "data.ratings": str(data / "emotify" / "annotations.csv"),
    }
    parts = []
    for train, split, _ in folds_of(rating_results.CONFIG, rating_results.FOLDS, changes):
        parts.append(RatingPrediction(split=split, part="test").run(RATINGS[name]().fit(train)))
    return measured(pooled(parts))


def measured(result: Result) -> dict[str, dict[str, float]]:
    rows = result.summary(SAMPLES)
    return {metric: {"value": value, "low": low, "high": high} for metric, value, low, high in rows}


def main() -> None:
    audio = json.loads((ROOT / "docs" / "results" / "audio.json").read_text(encoding="utf-8"))
    ratings = json.loads((ROOT / "docs" / "results" / "ratings.json").read_text(encoding="utf-8"))["rows"]
    names = [name for name in EXPERIMENTS if name in audio and "_from_" not in name]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the data sets")
    parser.add_argument("--workdir", type=Path, default=Path("runs/baselines"), help="holds the imports")
    parser.add_argument("--only", default=",".join([*names, *RATINGS]), help="names, separated by commas")
    arguments = parser.parse_args()
    output = arguments.workdir / "baselines.json"
    rows = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    for name in arguments.only.split(","):
        if name in EXPERIMENTS:
            metric = EXPERIMENTS[name].metric
            rows[name] = audio_row(name, arguments.data, arguments.workdir)
            before = {metric: audio[name]["mfcc_linear"]}
        else:
            rows[name] = rating_row(name, arguments.data, arguments.workdir)
            before = {metric: ratings[name][metric] for metric in rating_results.METRICS}
        output.write_text(json.dumps(rows, indent=2) + "\n")
        for metric, old in before.items():
            shown = ("{value:.4f} [{low:.4f}, {high:.4f}]".format(**row) for row in (old, rows[name][metric]))
            print(f"{name} {metric}: {' -> '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
