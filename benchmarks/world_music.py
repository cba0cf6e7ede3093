"""The world's music: estimators by signal processing and frozen encoders, into docs/results/world_music.md.

    python benchmarks/world_music.py [--seeds=0,1] [--encoders=mfcc,mel_mean,random] [--workdir=DIR]
    python benchmarks/world_music.py --fit --seeds=100,101     the weights of trains of beats, printed for
                                                              mu/suite/estimators/rhythm.py

Part of `make results-audio`. Sets of works are made where they are missing. Seeds and encoders that an earlier call has
put into docs/results/world_music.json stay there. Constants of the estimators were chosen on seeds 100 and 101, and no
result of those is reported.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from mu.audio.io import read
from mu.console import Progress
from mu.embedding.opening import open_encoder
from mu.files import write_json, write_whole
from mu.suite.estimators.features import SAMPLE_RATE_HZ, features_of
from mu.suite.estimators.rhythm import WEIGHTS, trains_of
from mu.suite.run import SuiteOptions, run_suite, slug
from mu.suite.table import markdown_table
from mu.suite.world import FOLDER, TASKS
from mu.suite.world_frames import METRICS, read_truth, works_table, world_frame_rows
from mu.training.provenance import processor
from mu.world.works.writing import WorksOptions, write_works
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "world_music.md"
CHOSEN_ON = (100, 101)
SUITE_SEED = 0
"""The set of works on which encoders are probed."""
PENALTY = 1.0
INTRODUCTION = """\
# The world's music: what signal processing and frozen encoders tell

Written by `python benchmarks/world_music.py`, part of `make results-audio`. Tracks are those of `mu world-music`: 60
works in 3 versions of 30 s each for every seed ([how they are made](../guides/world_music.md)). Brackets are 95 %
bootstrap intervals over works.

## Estimators by signal processing

`mu.suite.estimators`, scored by mir_eval. Their constants were chosen on works of seeds 100 and 101, of which
nothing is reported here.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", help="sets of works (default: 0,1; with --fit 100,101)")
    parser.add_argument("--encoders", default="mfcc,mel_mean,random", help="separated by commas")
    parser.add_argument("--workdir", type=Path, default=Path("runs/world_music"), help="holds works, imports, results")
    parser.add_argument("--fit", action="store_true", help="print weights of trains of beats instead")
    parser.add_argument("--note", default="", help="a sentence about the machine, for the page")
    arguments = parser.parse_args()
    default = CHOSEN_ON if arguments.fit else (0, 1)
    seeds = [int(seed) for seed in arguments.seeds.split(",")] if arguments.seeds else list(default)
    if arguments.fit:
        if others := sorted(set(seeds) - set(CHOSEN_ON)):
            parser.error(f"results are reported of seed {others[0]}: fit on {CHOSEN_ON}")
        fit(seeds, arguments.workdir)
        return
    if chosen := sorted(set(seeds) & set(CHOSEN_ON)):
        parser.error(f"constants were chosen on seed {chosen[0]}: report others")
    file = PAGE.with_suffix(".json")
    document = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"seeds": {}, "encoders": {}}
    for seed in seeds:
        folder, began = works(seed, arguments.workdir), time.monotonic()
        with Progress() as progress:
            rows = world_frame_rows(folder, progress=lambda done, total: progress.update("estimating", done, total))
        about = {"rows": rows, "seconds": time.monotonic() - began, **machine(arguments.note)}
        document["seeds"][str(seed)] = about
        publish(file, document)
    for name in filter(None, arguments.encoders.split(",")):
        data = works(SUITE_SEED, arguments.workdir).parent
        opened = open_encoder(name)
        output = arguments.workdir / "suite" / slug(opened[1])
        with Progress() as progress:
            rows = run_suite(opened, TASKS, data, arguments.workdir / "suite", output, SuiteOptions(), progress.update)
        document["encoders"][name] = {"rows": rows, "hash": opened[1]["hash"], **machine(arguments.note)}
        publish(file, document)


def works(seed: int, workdir: Path) -> Path:
    """The folder of the works of a seed, made where it is missing."""
    folder = workdir / f"seed-{seed}" / FOLDER
    with Progress() as progress:
        write_works(
            folder, WorksOptions(seed=seed), progress=lambda done, total: progress.update("rendering", done, total)
        )
    return folder


def machine(note: str) -> dict[str, str]:
    """The commit, with '+' where files have changed since, and the machine."""
    run: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], **run).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no", "mu"], **run).stdout
    cores = f"{available_cpus()} of {os.cpu_count()} cores of {processor()}"
    return {"commit": f"{head}+" if changed else head, "machine": "; ".join(filter(None, [cores, note]))}


def publish(file: Path, document: dict[str, Any]) -> None:
    write_json(file, {name: value for name, value in document.items() if name != "sha256"})
    write_whole(PAGE, page(document))


def page(document: dict[str, Any]) -> str:
    """The tables as Markdown."""
    seeds = document["seeds"]
    lines = [INTRODUCTION + f"| | {' | '.join(f'seed {seed}' for seed in seeds)} |", f"|---|{'---|' * len(seeds)}"]
    for metric in METRICS:
        cells = []
        for one in seeds.values():
            row = next(row for row in one["rows"] if row["metric"] == metric)
            cells.append(f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]")
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    lines += ["", "| metric | what it is |", "|---|---|"]
    lines += [f"| {metric} | {what} |" for metric, what in METRICS.items()]
    lines += ["", "| seed | tracks | seconds | commit | machine |", "|---|---|---|---|---|"]
    for seed, one in seeds.items():
        tracks = max(row["tracks"] for row in one["rows"])
        lines.append(f"| {seed} | {tracks} | {one['seconds']:.0f} | {one['commit']} | {one['machine']} |")
    encoders = document["encoders"]
    if encoders:
        lines += ["", "## Frozen encoders", ""]
        lines += [
            f"`mu probe --suite=world ENCODER` on seed {SUITE_SEED}: linear probes, 5 folds that share no work;",
            "versions by cosines of standardised vectors. Bold is the largest value of a line.",
            "",
            markdown_table({name: one["rows"] for name, one in encoders.items()}),
            "",
            "| task | what is predicted |",
            "|---|---|",
            *(f"| {task.name} | {task.protocol} |" for task in TASKS),
            "",
            "| encoder | commit | machine |",
            "|---|---|---|",
            *(f"| {name} | {one['commit']} | {one['machine']} |" for name, one in encoders.items()),
        ]
    return "\n".join(lines) + "\n"


def fit(seeds: list[int], workdir: Path) -> None:
    """Prints the weights with which the best trains of beats are likeliest, and how well they choose in 5 folds."""
    import mir_eval

    trim = mir_eval.beat.trim_beats
    evidence, merits, right, groups = [], [], [], []
    for seed in seeds:
        folder = works(seed, workdir)
        for row in works_table(folder).iter_rows(named=True):
            audio, _ = read(folder / row["file"], sample_rate_hz=SAMPLE_RATE_HZ)
            features, truth = features_of(audio), read_truth(folder / row["annotations"])
            trains = trains_of(features)
            beats = [train.beats * features.hop_s for train in trains]
            scores = np.array([mir_eval.beat.f_measure(trim(truth.beats_s), trim(one)) for one in beats])
            tempi = np.array([60 / np.median(np.diff(one)) for one in beats])
            within = np.abs(tempi / truth.tempo_bpm - 1) <= 0.04
            merit = (scores * within + 1e-3 * scores) ** 4 + 1e-12
            evidence.append(np.stack([train.evidence for train in trains]))
            merits.append(merit / merit.sum())
            right.append(within)
            groups.append(int(row["fold"]))
    chosen = []
    for fold in range(5):
        learnt = [at for at, group in enumerate(groups) if group != fold]
        weights = learn([evidence[at] for at in learnt], [merits[at] for at in learnt])
        chosen += [
            right[at][int(np.argmax(evidence[at] @ weights))] for at, group in enumerate(groups) if group == fold
        ]
    print(f"tempo within 4 % in 5 folds by work: {np.mean(chosen):.3f} of {len(chosen)} tracks")
    weights = learn(evidence, merits)
    print("\n".join(f'    "{name}": {weight:.4f},' for name, weight in zip(WEIGHTS, weights, strict=True)))


def learn(evidence: list[np.ndarray], merits: list[np.ndarray]) -> np.ndarray:
    """float64 [features]: conditional logit, cross entropy of the merits with a penalty on standardised weights."""
    every = np.concatenate(evidence)
    scale = every.std(axis=0) + 1e-9

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = PENALTY * weights @ weights, 2 * PENALTY * weights
        for x, merit in zip(evidence, merits, strict=True):
            scores = x / scale @ weights
            chances = np.exp(scores - scores.max())
            chances /= chances.sum()
            value -= merit @ np.log(chances + 1e-12)
            gradient = gradient - (x / scale).T @ (merit - chances)
        return float(value), gradient

    return minimize(loss, np.zeros(every.shape[1]), jac=True, method="L-BFGS-B").x / scale


if __name__ == "__main__":
    main()
