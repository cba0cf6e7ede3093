"""Ratings of tracks that training did not have, beside baselines: `make results-ratings`.

    python benchmarks/rating_results.py --data=FOLDER [--seeds=0,1,2] [--parts=both,cohort] [--workdir=runs/ratings]

FOLDER holds emotify (experiments/emotify_joint.py says where it comes from). Runs and baselines go on where they
stopped; docs/results/ratings.md and ratings.json beside it hold what is complete, with command, commit, machine and
time.
"""

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from audio_results import ROOT, library, pace
from sklearn.ensemble import HistGradientBoostingClassifier

from mu.baselines.cross_validation import grouped_folds
from mu.baselines.mfcc import statistics
from mu.baselines.ratings import LogisticRatings
from mu.config.resolve import build
from mu.data.ratings.cell_rates import cell_rates
from mu.evals.compare import differences
from mu.evals.folds import mean_summary, pooled
from mu.evals.protocols.ratings import rating_result
from mu.evals.result import Result
from mu.evals.results import load, save
from mu.files import write_json, write_whole
from mu.run.crossvalidate import crossvalidate, resolved
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

FOLDS, SAMPLES = 5, 1000
CONFIG = "experiments/emotify_joint.py"
# What gradient boosting is chosen from by training tracks held out: rounds and leaves of a tree.
BOOSTING = [(rounds, leaves) for rounds in (50, 100, 200) for leaves in (4, 8)]
METRICS = ("liked/roc_auc", "liked/log_likelihood", "disliked/roc_auc", "disliked/log_likelihood")

INTRODUCTION = """\
# Ratings of tracks that training has not seen

Written by `make results-ratings MU_DATA=FOLDER` (`benchmarks/rating_results.py`). Emotify: 400 tracks, 8,407
ratings, 5 folds by track; every rating is predicted once, by a model that was trained without its track and saw no
rating of it. Brackets are 95 % bootstrap intervals over tracks, all ratings of a track drawn together; neural rows
are means over seeds. Hyperparameters were chosen on validation parts; a fold's validation tracks are test tracks of
another, so the choice has seen every track once. Then the model learnt from training and validation tracks for a number
of steps set beforehand, and was tested once; penalties and sizes of baselines are chosen by training tracks held out.
"mu less it" is the paired difference, tracks drawn for both alike: better for mu is above 0 of AUC and below 0 of log
loss, and beyond the interval where that holds no 0. Baselines that know the cohort know the smoothed rate of the
listener's cell, too.

"""


class Boosted:
    """Gradient-boosted trees on MFCC statistics and listeners' codes, one model a label."""

    def fit(self, clips: Any) -> Self:
        self._train = clips
        features, labels = self._features(clips, None), clips.ratings.labels
        folds = grouped_folds(clips.ratings.clips)

        def trees(rounds: int, leaves: int, y: np.ndarray, kept: np.ndarray) -> HistGradientBoostingClassifier:
            model = HistGradientBoostingClassifier(
                max_iter=rounds,
                max_leaf_nodes=leaves,
                learning_rate=0.05,
                min_samples_leaf=40,
                l2_regularization=10.0,
                max_features=0.3,
                early_stopping=False,  # pyright: ignore[reportArgumentType]
                random_state=0,
            )
            return model.fit(features[kept], y[kept])

        def loss(option: tuple[int, int]) -> float:
            total = 0.0
            for learnt, tested in folds[:2]:  # two of the five suffice to choose
                for at in range(labels.shape[1]):
                    y = labels[:, at]
                    p = trees(*option, y, learnt).predict_proba(features[tested])[:, 1]
                    total -= np.sum(y[tested] * np.log(p) + (1 - y[tested]) * np.log(1 - p))
            return total

        best, everything = min(BOOSTING, key=loss), np.arange(len(labels))
        self._models = [trees(*best, labels[:, at], everything) for at in range(labels.shape[1])]
        return self

    def predict(self, clips: Any) -> dict[str, np.ndarray]:
        features = self._features(clips, clips.ratings)
        probabilities = [model.predict_proba(features)[:, [1]].astype(np.float32) for model in self._models]
        return dict(zip(clips.label_names, probabilities, strict=True))

    def _features(self, clips: Any, queries: Any) -> np.ndarray:
        codes = self._train.listener_codes.encode(clips.ratings)
        return np.hstack([statistics(clips)[clips.ratings.clips], codes, cell_rates(self._train, queries)[:, 0]])


BASELINES = {
    "mfcc_cohort": LogisticRatings,
    "mfcc_cohort_boosted": Boosted,
    "mfcc": lambda: LogisticRatings(listener=False),
    "genre_x_cohort": lambda: LogisticRatings(sound=False, columns=("genre",), crossed=True),
}
WORDS = {
    "cohort_mean": "(a) cohort mean: smoothed rate by mother tongue, gender, age, mood",
    "genre_mean": "(b) true genre: smoothed rate",
    "mfcc_cohort": "(c) MFCC statistics + cohort, logistic regression",
    "mfcc_cohort_boosted": "(c) MFCC statistics + cohort, gradient boosting",
    "mfcc": "MFCC statistics alone, logistic regression",
    "cohort": "(d) the same model, cohort alone",
    "audio": "the same model, audio alone",
    "genre_x_cohort": "true genre x cohort, logistic regression (given the genre, which mu is not)",
}


def baseline(name: str, workdir: Path, changes: dict[str, str]) -> Result:
    """A baseline's answers in all folds, kept in `workdir`."""
    folder = workdir / f"{name}_baseline"
    if not (folder / "evaluation.json").is_file():
        parts = []
        for fold in range(FOLDS):
            config = resolved(str(ROOT / CONFIG), changes, 0, fold)
            split = build(config.split, build(config.data))
            predictions = BASELINES[name]().fit(split.train.merged(split.valid)).predict(split.test)
            parts.append(rating_result(predictions, split.test))
        whole = {"model": pooled(parts)}
        about = {"split": "pooled", "part": "test", "seed": 0}
        save(folder, whole, about, samples=SAMPLES, seed=0)
    return load(folder).results["model"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds emotify")
    parser.add_argument("--workdir", type=Path, default=Path("runs/ratings"), help="holds the runs")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--parts", default="both,cohort", help="of the model, separated by commas; audio is another")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if "both" not in parts:
        parser.error(f"--parts={arguments.parts}; both must be among them: all others are set beside it")
    keep_freed_memory()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    changes = {
        "data.clips.path": str(library("emotify", arguments.data, arguments.workdir)),
        "data.ratings": str(arguments.data / "emotify" / "annotations.csv"),
    }
    commands, commits, training_s = [], set(), 0.0
    for part in parts:
        workdir = arguments.workdir / part
        config = CONFIG if part == "both" else f"{CONFIG}:parts={part}"
        pooled = crossvalidate(str(ROOT / config), str(workdir), FOLDS, seeds, changes, train)
        commits |= set(pooled["commits"])
        training_s += pace(workdir)["training_s"]
        call = f"mu crossvalidate --config={config} --folds={FOLDS} --seeds={arguments.seeds}"
        commands.append(f"{call} --workdir=runs/ratings/{part}")
    rows = table(arguments.workdir, parts, seeds, changes)
    ratings = Path(changes["data.ratings"]).read_bytes()
    document = {
        "rows": rows,
        "seeds": seeds,
        "commands": commands,
        "commits": sorted(commits),
        "training_s": training_s,
        "ratings_sha256": hashlib.sha256(ratings).hexdigest(),
        "machine": f"{available_cpus()} of {os.cpu_count()} cores of {processor()}",
    }
    write_json(ROOT / "docs" / "results" / "ratings.json", document)
    write_whole(ROOT / "docs" / "results" / "ratings.md", page(document).encode())
    print(page(document))


def table(workdir: Path, parts: Sequence[str], seeds: Sequence[int], changes: dict[str, str]) -> dict[str, Any]:
    """name -> metric -> value and interval, and what the model is less it."""
    of_seed = {part: [load(workdir / part / f"seed{seed}").results for seed in seeds] for part in parts}
    model = [one["model"] for one in of_seed["both"]]
    others = {name: [one[name] for one in of_seed["both"]] for name in of_seed["both"][0] if name != "model"}
    others |= {name: [baseline(name, workdir, changes)] * len(seeds) for name in BASELINES}
    others |= {part: [one["model"] for one in of_seed[part]] for part in parts if part != "both"}
    rows = {"model": measured(model)}
    rows["model"]["seeds"] = {metric: [one.values()[metric] for one in model] for metric in METRICS}
    for name in WORDS:
        if name in others:
            pairs = list(zip(others[name], model, strict=True))
            rows[name] = measured(others[name]) | {"less": differences(pairs, METRICS, SAMPLES)}
    return rows


def measured(results: Sequence[Result]) -> dict[str, Any]:
    """metric -> {'value', 'low', 'high'}."""
    return {
        metric: {"value": value, "low": low, "high": high}
        for metric, value, low, high in mean_summary(results, SAMPLES)
        if metric in METRICS
    }


def page(document: dict[str, Any]) -> str:
    """The table as Markdown; log loss instead of likelihood."""

    def shown(row: dict[str, float], key: str, metric: str) -> str:
        if "likelihood" in metric:
            return f"{-row[key]:.4f} [{-row['high']:.4f}, {-row['low']:.4f}]"  # an interval's ends change places
        return f"{row[key]:.4f} [{row['low']:.4f}, {row['high']:.4f}]"

    rows = document["rows"]
    text = INTRODUCTION
    for metric in METRICS:
        said, kind = metric.split("/")
        name = f"{said}, {'AUC' if kind == 'roc_auc' else 'log loss (nats)'}"
        sign = -1 if "likelihood" in kind else 1
        spread = ", ".join(f"{sign * value:.4f}" for value in rows["model"]["seeds"][metric])
        text += f"## {name}\n\n| | value | mu less it | beyond the interval |\n|---|---|---|---|\n"
        text += (
            f"| **mu: audio + cohort** (seeds {spread}) | **{shown(rows['model'][metric], 'value', metric)}** | | |\n"
        )
        for row, words in WORDS.items():
            if row in rows:
                less = rows[row]["less"][metric]
                beyond = "better" if less["low"] > 0 else "worse" if less["high"] < 0 else "no"
                difference = shown(less, "difference", metric)
                text += f"| {words} | {shown(rows[row][metric], 'value', metric)} | {difference} | {beyond} |\n"
        text += "\n"
    commands = "\n".join(f"    {command}" for command in document["commands"])
    return (
        f"{text}Commands (the data's paths beside them):\n\n{commands}\n\nCommit "
        f"{' '.join(commit[:12] for commit in document['commits'])}; all runs' steps took "
        f"{document['training_s'] / 60:.0f} min on {document['machine']}. {document.get('note', '')}".rstrip()
        + "\n"
    )


if __name__ == "__main__":
    main()
