"""Trained models on public logs, and in one score with counts, beside the best of the ladder: `make results-trained`.

    python benchmarks/trained_results.py --data=FOLDER [--only=beauty,...] [--seeds=0,1,2] [--workdir=runs/trained]

FOLDER holds the raw files of the data sets (docs/results/how.md). The rungs that stand beside a model, with the options
that docs/results/ladder.json has chosen on validation, are members of its mixture or the bar. Runs go on where they
stopped, and complete ones are not run again; docs/results/trained.md and trained.json beside it hold the rows that are
complete, with command, commit, machine and time.
"""

import argparse
import dataclasses
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ladder_results import CONFIG as RUNGS
from ladder_results import RESULTS, ROOT, SETS, imported

from mu.config.base import Config
from mu.config.overrides import load as load_config
from mu.config.resolve import resolve
from mu.evals.compare import differences
from mu.evals.folds import mean_summary
from mu.evals.result import Result
from mu.evals.results import load
from mu.files import read_json, write_json, write_whole
from mu.ladder.run import TUNED
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

BAR = "bar"
"""The name of the ladder's best among the baselines of a run."""
MODEL, MIXTURE = "model", "mixture"
INTRODUCTION = """\
# Trained models

Written by `make results-trained MU_DATA=FOLDER` (`benchmarks/trained_results.py`). Models that are trained with
gradients, alone and in one score with [models that are not](ladder.md), whose best is the bar; a model that is told
attributes has PCTM with them. Steps, options and the weights of a mixture are chosen on validation, then the test part
is measured, over all users with a test item, ties as exact expectations, the whole catalogue ranked. Values are means
over seeds, each seed beside; brackets are 95 % bootstrap intervals over users, of the means over seeds. "Less the bar"
is the paired difference to it, beyond the interval where that holds no 0. A member's options are those that the ladder
has chosen on validation.

Published rows and their replications: [Published rows](published.md).

"""


@dataclasses.dataclass(frozen=True)
class Trained:
    """A model on a log, alone and in mixtures.

    Attributes:
      log: name in `ladder_results.SETS`.
      config: FILE[:ARG,...] under experiments/.
      words: what the model is.
      members: of the mixture, beside the model: rungs of the ladder, names in `MORE` or, with `own_split`, baselines of
        the config.
      published: rows of others, in words.
      title: of the section, where it is not that of the log.
      bar: a member that is the bar instead of the ladder's best.
      own_split: whether the config itself says how the log is split and ranked; else the ladder does.
      protocol: in words, where it is not the ladder's.
    """

    log: str
    config: str
    words: str
    members: Sequence[str]
    published: str = ""
    title: str = ""
    bar: str = ""
    own_split: bool = False
    protocol: str = ""


MORE = {
    # The weight is the one that the ladder has chosen on validation ("needs attributes").
    "pctm_attributes": {
        "name": "mu.baselines.pctm:PCTM",
        "attributes": ("attributes",),
        "attribute_weight": 0.3,
    }
}
"""Members that are no rung of the ladder."""
COUNTS = ("pctm", "ease")
ROWS = {
    "beauty": Trained(
        "beauty",
        "sasrec_and_counts.py:dim=128",
        "SASRec, full softmax, width 128",
        COUNTS,
        "NDCG@10: SASRec with 256 negatives .0531, eSASRec .0523, HSTU .0439, PCTM .0634",
    ),
    "beauty_attributes": Trained(
        "beauty",
        "sasrec_and_counts.py:dim=128,columns=attributes",
        "SASRec told the attributes of items, full softmax, width 128",
        ("pctm_attributes", "ease"),
        title="s3rec/Beauty with attributes",
        bar="pctm_attributes",
    ),
    "lastfm": Trained(
        "lastfm",
        "sasrec_and_counts.py",
        "SASRec, full softmax, width 64",
        COUNTS,
        "NDCG@10: S3-Rec .0427, BERT4Rec .0337",
    ),
    "lightgcnpp_lastfm": Trained(
        "lightgcnpp_lastfm",
        "published_splits.py",
        "factorisation, cosine softmax, width 64",
        ("ials", "bspm"),
        "recall@10 / NDCG@10: NCL++ .1894 / .2177, LightGCN++ .1889 / .2171",
        own_split=True,
    ),
    "lightgcnpp_ml-1m": Trained(
        "lightgcnpp_ml-1m",
        "published_splits.py:data=ml-1m",
        "factorisation, cosine softmax, width 64",
        ("ease", "ials", "bspm"),
        "recall@10 / NDCG@10: LightGCN++ .1667 / .3243",
        own_split=True,
    ),
    "gowalla": Trained(
        "gowalla",
        "published_splits.py:data=gowalla",
        "factorisation, cosine softmax, width 64",
        ("bspm",),
        "recall@20 / NDCG@20: BSPM .1920 / .1597, UltraGCN .1862 / .1580, LightGCN .1830 / .1554",
        own_split=True,
        protocol="the LightGCN split, training items masked; a tenth of each user's training plays chooses steps and "
        "weights, then all of them are learnt",
    ),
    "world": Trained("world", "sasrec_and_counts.py", "SASRec, full softmax, width 64", COUNTS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the data sets")
    parser.add_argument("--workdir", type=Path, default=Path("runs/trained"), help="holds the runs")
    parser.add_argument("--logs", type=Path, default=Path("runs/ladder"), help="holds the imported logs")
    parser.add_argument("--only", default=",".join(ROWS), help="names, separated by commas")
    parser.add_argument("--seeds", default="0,1,2")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    for name in names:
        if name not in ROWS:
            parser.error(f"there is no row {name!r}; there is: {', '.join(ROWS)}")
    keep_freed_memory()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    output = RESULTS / "trained.json"
    for name in names:
        log = imported(ROWS[name].log, arguments.data, arguments.logs)
        row = measured(ROWS[name], log, arguments.workdir / name, seeds)
        rows = read_json(output) if output.is_file() else {}
        rows[name] = row
        write_json(output, rows)
        write_whole(RESULTS / "trained.md", page(rows))


def configured(one: Trained, log: Path, seed: int, ladder: Mapping[str, Any]) -> Config:
    """The config of a run: its baselines are the members of a mixture and the ladder's best, as the ladder has them."""
    rungs = load_config(RUNGS).baselines.to_dict()

    def rung(name: str, tuned: bool) -> Mapping[str, Any]:
        return rungs[name] | (ladder["options"].get(name, {}) if tuned else {})

    best = one.bar or ladder["bar"]["rung"]
    bar = MORE.get(best) or rung(best.removesuffix(TUNED), best.endswith(TUNED))
    # Whether a refit follows is for the config to say, which also says how steps are chosen.
    ladders = {key: text for key, text in SETS[one.log].changes.items() if key != "refit"}
    changes = {} if one.own_split else ladders
    changes |= {"seed": str(seed), "data.path": str(log.resolve())}
    config = load_config(str(ROOT / "experiments" / one.config), changes)
    own = MORE | (config.baselines.to_dict() if one.own_split else {})
    with config.ignore_type():
        config.baselines = {name: own.get(name) or rung(name, tuned=True) for name in one.members} | {BAR: bar}
        config.mixture = tuple(one.members)
    return resolve(config)


def measured(one: Trained, log: Path, folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """What trained.json holds of a model on a log."""
    ladder = read_json(RESULTS / "ladder.json")[one.log]
    results: dict[str, list[Result]] = {row: [] for row in (MODEL, MIXTURE, BAR, *one.members)}
    weights, runs = [], []
    for seed in seeds:
        place = folder / f"seed{seed}"
        train(configured(one, log, seed, ladder), place)
        evaluation = load(place)
        bar = evaluation.results[BAR].values()[ladder["metric"]]
        if not one.bar and abs(bar - ladder["bar"]["value"]) > 5e-5:
            raise SystemExit(
                f"{place}: the ladder's best has {ladder['metric']} {bar:.5f} here, in docs/results/ladder.json "
                f"{ladder['bar']['value']:.5f}: another protocol, or `make results-ladder ONLY={one.log}` is due"
            )
        for row, own in results.items():
            own.append(evaluation.results[row])
        weights.append(evaluation.card["mixture"])
        runs.append({"commit": read_json(place / "run.json")["commit"], "training_s": training_seconds(place)})
    return {
        "experiment": one.config,
        "bar": one.bar or ladder["bar"]["rung"],
        "metric": ladder["metric"],
        "seeds": list(seeds),
        "rows": {row: summary(own, results[BAR], ladder["metric"]) for row, own in results.items()},
        "weights": weights,
        "runs": runs,
        "machine": f"{available_cpus()} of {os.cpu_count()} cores of {processor()}",
    }


def training_seconds(folder: Path) -> float:
    """Of all steps of a run and of the one that chose its steps, without compiling and measuring."""
    total = 0.0
    for file in folder.glob("**/metrics.jsonl"):
        lines = [json.loads(line) for line in file.open(encoding="utf-8")]
        total += lines[-1]["step"] * statistics.median(line["step_ms"] for line in lines if "step_ms" in line) / 1000
    return total


def summary(results: Sequence[Result], bars: Sequence[Result], metric: str) -> dict[str, Any]:
    """Of a row, by metric: mean over seeds, interval, each seed; and by `metric` what is left of the bar."""
    cutoff = metric.partition("@")[2]
    wanted = [name for name in results[0].names if name in (f"recall@{cutoff}", f"ndcg@{cutoff}")]
    means = {estimate.name: estimate for estimate in mean_summary(results)}
    difference = differences(list(zip(bars, results, strict=True)), wanted)
    return {
        name: {
            "value": means[name].value,
            "low": means[name].low,
            "high": means[name].high,
            "seeds": [result.values()[name] for result in results],
            "less_bar": {key: difference[name][key] for key in ("difference", "low", "high")},
        }
        for name in wanted
    }


def page(rows: Mapping[str, Any]) -> str:
    """docs/results/trained.md."""
    return INTRODUCTION + "\n\n".join(section(name, rows[name]) for name in ROWS if name in rows) + "\n"


def section(name: str, row: Mapping[str, Any]) -> str:
    """A log: its table, the weights of the mixtures, time and commit."""
    one, metrics = ROWS[name], list(row["rows"][MODEL])
    words = {MODEL: one.words, BAR: f"the bar: {row['bar']}"}
    lines = []
    for key, own in sorted(row["rows"].items(), key=lambda item: -item[1][row["metric"]]["value"]):
        if key != BAR and own == row["rows"][BAR]:  # the bar is a member, too
            continue
        cells = []
        for metric in metrics:
            cell = own[metric]
            drawn = " ".join(f"{value:.4f}" for value in cell["seeds"]) + "; "
            seeds = drawn if key in (MODEL, MIXTURE) else ""  # the others have no seed
            cells.append(f"{cell['value']:.4f} ({seeds}[{cell['low']:.4f}, {cell['high']:.4f}])")
        less = own[row["metric"]]["less_bar"]
        cells.append("" if key == BAR else f"{less['difference']:+.4f} [{less['low']:+.4f}, {less['high']:+.4f}]")
        lines.append(f"| {words.get(key, key)} | {' | '.join(cells)} |")
    chosen = [f"- seed {seed}: {mixed(own)}" for seed, own in zip(row["seeds"], row["weights"], strict=True)]
    minutes = ", ".join(f"{run['training_s'] / 60:.0f}" for run in row["runs"])
    commits = ", ".join(dict.fromkeys(run["commit"][:12] for run in row["runs"]))
    protocol = one.protocol or SETS[one.log].protocol
    return "\n".join(
        [
            f"## {one.title or SETS[one.log].title}\n",
            f"`{row['experiment']}`; {protocol}. Published: {one.published or 'nothing'}.\n",
            f"| | {' | '.join(metrics)} | {row['metric']} less the bar |",
            "|---|" + "---|" * (len(metrics) + 1),
            *lines,
            "\nThe mixture, chosen on validation:\n",
            *chosen,
            f"\n{minutes} min of steps a seed, other jobs beside; {row['machine']}; commit `{commits}`.",
        ]
    )


def mixed(own: Mapping[str, Any]) -> str:
    """A mixture in words: weights, and what it and its members reach on validation."""
    weights = " + ".join(f"{value:.3g} x {member}" for member, value in own["weights"].items())
    alone = ", ".join(f"{member} {value:.4f}" for member, value in own["alone"].items())
    return f"{weights}; on validation {own['value']:.4f}, alone {alone}"


if __name__ == "__main__":
    main()
