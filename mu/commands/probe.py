"""`mu probe`: what embeddings tell of labels, by small models on folds that share no group."""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mu probe embeddings/esc10 --library=data/esc10 --classes=label --folds=fold
  mu probe embeddings/fsdd --library=data/fsdd --classes=digit --folds=speaker --group=speaker --shots=1,2,4,8,16
  mu probe embeddings/music --library=data/music --tags=tags --folds=10 --group=artist --head=mlp --seeds=0,1,2
  mu probe embeddings/emotify --library=data/emotify --numbers=joy,calm --folds=10 --output=results/emotify

Every clip is judged by a probe that saw no clip of its group: --folds is a column that says which clips are tested
together, or a number of folds that groups are dealt to by a hash (`mu.data.clips.folds:by_hash`). The linear probe
chooses its penalty, and the MLP when to stop, within the training folds, groups kept together there too. All this is
honest only where the encoder itself has not learnt these labels from these clips. ROC-AUC, average precision and
correlation put the clips of all folds in one order, though each fold's probe is calibrated on its own: they may
be lower than within a fold.

--shots learns from so many examples of each class instead, drawn --trials times, and tests on a fold that they are not
from. OUTPUT gets evaluation.json and units.npz in a folder for each seed, and probe.json.
"""


def main(argv: list[str]) -> int:
    """0 when done, 1 after an error that has been printed, 2 when it was called wrongly."""
    parser = argparse.ArgumentParser(
        prog="mu probe",
        description="Trains and tests probes on frozen embeddings, with intervals.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="a folder of `mu embed`")
    add("--library", required=True, metavar="DIR", help="the folder of `mu import-audio` that knows the labels")
    add("--classes", type=_names, default=(), metavar="COLUMN,...", help="columns of classes")
    add("--tags", type=_names, default=(), metavar="COLUMN,...", help="columns of lists of tags")
    add("--numbers", type=_names, default=(), metavar="COLUMN,...", help="columns of numbers")
    add("--folds", required=True, metavar="COLUMN|N", help="a column, or how many are dealt (at least 3)")
    add("--group", default="content_hash", metavar="COLUMN", help="artist, speaker, ... (default: each recording)")
    add("--head", choices=("linear", "mlp"), default="linear", help="the probe (default: linear)")
    add("--seeds", type=_numbers, default=(0,), metavar="S,...", help="of the MLP; the first also draws examples")
    add("--shots", type=_numbers, default=(), metavar="K,...", help="few-shot accuracy from K examples a class")
    add("--trials", type=int, default=20, metavar="N", help="draws of them (default: 20)")
    add("--bootstrap_samples", type=int, default=1000, metavar="N", help="of the intervals (default: 1000)")
    add("--output", metavar="DIR", help="folder of the results")
    arguments = parser.parse_args(argv)
    if not (arguments.classes or arguments.tags or arguments.numbers):
        parser.error("say what is to be told: --classes, --tags or --numbers")
    if arguments.shots and (arguments.head != "linear" or not arguments.classes):
        parser.error("--shots draws examples of --classes for the linear probe")
    if arguments.head == "linear" and len(arguments.seeds) > 1:
        parser.error("--seeds: the linear probe has one optimum; one seed is enough")
    least = {"trials": arguments.trials, "bootstrap_samples": arguments.bootstrap_samples}
    for name, value in (least | dict.fromkeys(["shots"], min(arguments.shots, default=1))).items():
        if value < 1:
            parser.error(f"--{name}: {value}; it must be at least 1")
    try:
        probe(arguments)
    except (ValueError, OSError) as error:
        print(f"mu probe: {error}", file=sys.stderr)
        return 1
    return 0


def probe(arguments: argparse.Namespace) -> None:
    """Measures what the command line asks for, prints the tables and writes them."""
    import numpy as np

    from mu.baselines.linear import chosen_linear
    from mu.console import Progress
    from mu.data.clips.clips import whole_column
    from mu.embedding.table import load
    from mu.evals.folds import mean_summary
    from mu.evals.probes import crossvalidated
    from mu.evals.protocols import probes
    from mu.evals.results import save
    from mu.evals.table import ResultTable
    from mu.files import write_json
    from mu.names import nearest

    columns = probes.columns_of(arguments.library)
    named = [*arguments.classes, *arguments.tags, *arguments.numbers, arguments.group]
    for name in named if arguments.folds.isdecimal() else [*named, arguments.folds]:
        if name not in columns:
            raise ValueError(f"{arguments.library} has no column {name!r}{nearest(name, columns)}")
    embeddings = load(arguments.embeddings)
    told = {kind: getattr(arguments, kind) for kind in ("classes", "tags", "numbers")}
    clips, without = probes.labelled(arguments.library, embeddings, **told)
    if without:
        print(f"{without:,} clips are left out: they could not be embedded (see {arguments.embeddings}/faults.jsonl)")
    features = embeddings.of(clips.table["content_hash"].to_list())
    folds = probes.folds_of(clips, arguments.folds, group=arguments.group, stratify=next(iter(arguments.classes), None))
    groups = np.array([str(value) for value in whole_column(clips.table, arguments.group)])

    encoder = embeddings.card["encoder"]
    split = f"{len(set(folds.tolist()))} folds by {arguments.folds}, groups by {arguments.group}"
    print(f"{arguments.head} probe of {arguments.embeddings} ({encoder['run']}, step {encoder['step']}); {split}")
    curves = _curves(arguments, features, clips.targets, folds, groups)
    ids = clips.table["clip"].to_list()
    results, done = [], itertools.count(1)
    total = len(arguments.seeds) * len(set(folds.tolist())) * len(clips.targets)
    with Progress() as progress:
        for seed in arguments.seeds:
            head = chosen_linear if arguments.head == "linear" else probes.mlp(seed)

            def learn(*given: Any, head: Any = head) -> Any:
                learnt = head(*given)
                progress.update("probing", next(done), total)
                return learnt

            results.append(crossvalidated(features, clips.targets, folds, groups, ids, learn))
    rows = [
        {"metric": name, "value": value, "low": low, "high": high, "seeds": [one.values()[name] for one in results]}
        for name, value, low, high in mean_summary(results, arguments.bootstrap_samples)
    ]
    if len(results) == 1:
        print(ResultTable({arguments.head: results[0]}, samples=arguments.bootstrap_samples))
    else:
        print(_seeds_table(arguments.seeds, rows))
    print("Clips of all folds are measured together; their probes' scores are calibrated fold by fold.")
    for name, curve in curves.items():
        print(_curve_table(name, curve, arguments.trials, len(set(groups.tolist()))))
    if arguments.output:
        about = {
            "embeddings": arguments.embeddings,
            "encoder": {name: encoder[name] for name in ("hash", "run", "step", "commit")},
            "library": arguments.library,
            "split": split,
            "split_hash": "",
            "part": "pooled",
            "head": arguments.head,
        }
        folder, samples = Path(arguments.output), arguments.bootstrap_samples
        for seed, result in zip(arguments.seeds, results, strict=True):
            save(folder / f"seed{seed}", {"model": result}, about | {"seed": seed}, samples=samples, seed=0)
        document = {**about, "seeds": arguments.seeds, "rows": rows, "trials": arguments.trials, "few_shot": curves}
        write_json(folder / "probe.json", document)
        print(f"Written to {folder}.")


def _curves(arguments: argparse.Namespace, features: Any, targets: Any, folds: Any, groups: Any) -> dict[str, Any]:
    """{column of classes: a row for each number of shots}."""
    from mu.evals.probes import few_shot, few_shot_accuracy
    from mu.evals.protocols.probes import linear_of_few

    shots, trials = arguments.shots, arguments.trials
    curves = {}
    for name in arguments.classes if shots else ():
        given = (features, targets[name], folds, groups)
        right = few_shot(*given, shots=shots, trials=trials, seed=arguments.seeds[0], learn=linear_of_few)
        measured = few_shot_accuracy(right, groups, arguments.bootstrap_samples)
        curves[name] = [
            {"shots": k, "accuracy": accuracy, "low": low, "high": high}
            for k, (accuracy, low, high) in zip(shots, measured, strict=True)
        ]
    return curves


def _curve_table(name: str, curve: Sequence[dict[str, Any]], trials: int, groups: int) -> str:
    from mu.evals.table import text_table

    lines = [["examples a class", f"{name}/accuracy"]]
    lines += [[str(row["shots"]), "{accuracy:.3f} [{low:.3f}, {high:.3f}]".format(**row)] for row in curve]
    return (
        f"\n{text_table(lines)}\nLinear probes, the mean over {trials} draws of examples; brackets: 95 % bootstrap "
        f"interval over {groups:,} groups of tested clips."
    )


def _seeds_table(seeds: Sequence[int], rows: Sequence[dict[str, Any]]) -> str:
    from mu.evals.table import text_table

    lines = [["", "mean over seeds", *(f"seed {seed}" for seed in seeds)]]
    for row in rows:
        interval = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**row)
        lines.append([row["metric"], interval, *(f"{value:.3f}" for value in row["seeds"])])
    return text_table(lines) + "\nBrackets: 95 % bootstrap interval of the mean over seeds, groups drawn again."


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    if len(set(numbers)) != len(parts):
        raise argparse.ArgumentTypeError(f"{text}: it takes different whole numbers, such as 1,2,4")
    return numbers
