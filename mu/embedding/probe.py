"""Probes on the embeddings of a library: how well small models predict the library's attributes from its vectors."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from mu.baselines.linear import Linear, chosen_linear
from mu.baselines.mlp import chosen_mlp
from mu.data import tables
from mu.data.clips import clips as clip_tables
from mu.data.clips.clips import Clips, whole_column
from mu.data.clips.folds import fold_numbers
from mu.data.clips.targets import ClassTarget, Target
from mu.data.embeddings import Embeddings
from mu.data.whole_numbers import integers_where_possible
from mu.embedding.probe_fitting import Learn, Probe, few_shot, out_of_fold
from mu.embedding.seen import without_seen
from mu.evals.folds import mean_summary
from mu.evals.protocols.clips import cluster_name
from mu.evals.protocols.probes import few_shot_accuracy, probe_result
from mu.evals.result import Estimate, Result
from mu.evals.results import save
from mu.files import write_json
from mu.names import nearest

# How many clips without an embedding an error names.
NAMED = 3


@dataclasses.dataclass(frozen=True)
class ProbeOptions:
    """How probes are trained and tested.

    Attributes:
      classes: columns of classes.
      tags: columns of lists of tags.
      numbers: columns of numbers.
      folds: a column, or a number of folds.
      group: column whose equal values stay in one fold; None for what the import says belongs together.
      seen: what is done about clips that the encoder has learnt from, 'refuse', 'leave_out' or 'keep'.
      head: 'linear' or 'mlp'.
      seeds: of the MLP; the first also draws examples.
      shots: numbers of examples a class, for few-shot accuracy of the classes.
      trials: draws of examples.
      bootstrap_samples: of the intervals.
    """

    folds: str
    classes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    group: str | None = None
    seen: str = "refuse"
    head: str = "linear"
    seeds: tuple[int, ...] = (0,)
    shots: tuple[int, ...] = ()
    trials: int = 20
    bootstrap_samples: int = 1000


@dataclasses.dataclass(frozen=True)
class ProbeReport:
    """Results of the probes of a library.

    Attributes:
      options: how they were trained and tested.
      split: the folds, in words.
      without: how many clips have no embedding, for a fault.
      note: what the encoder knows of the clips, a sentence; '' where it knows none.
      results: one a seed.
      estimates: of every metric, the mean over seeds.
      fold_of: clip -> the fold that it was tested in.
      few_shot: column of classes -> a row for each number of shots: shots, accuracy, low, high.
    """

    options: ProbeOptions
    split: str
    without: int
    note: str
    results: list[Result]
    estimates: list[Estimate]
    fold_of: dict[str, str]
    few_shot: dict[str, list[dict[str, float]]]


def probe(
    embeddings: Embeddings,
    library: str | os.PathLike[str],
    options: ProbeOptions,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeReport:
    """Trains and tests probes on the clips of a library.

    Args:
      embeddings: of the library's clips.
      library: the folder that `mu import-audio` wrote.
      options: see `ProbeOptions`.
      progress: called with how many probes of how many are trained.

    Raises:
      FileNotFoundError: there is no such library.
      ValueError: a column is missing or does not hold what it should, clips have no embedding, the encoder has learnt
        from them, or a group is in two folds.
    """
    _check_columns(library, options)
    clips, without = labelled_clips(library, embeddings, options)
    group = options.group or clips.group
    clips, note = without_seen(clips, embeddings.card, group, options.seen)
    features = embeddings.of(clips.table["content_hash"].to_list())
    folds = _folds(clips, options)
    groups = np.array([str(value) for value in whole_column(clips.table, group)])
    curves = {name: _few_shot_curve(options, name, clips, features, folds, groups) for name in options.classes}
    total, trained = len(options.seeds) * len(set(folds.tolist())) * len(clips.targets), 0
    results = []
    for seed in options.seeds:
        head = chosen_linear if options.head == "linear" else functools.partial(chosen_mlp, seed=seed)

        def learn(features: np.ndarray, target: Target, groups: np.ndarray, head: Learn = head) -> Probe:
            nonlocal trained
            fitted = head(features, target, groups)
            trained += 1
            progress(trained, total)
            return fitted

        predicted = out_of_fold(features, clips.targets, folds, groups, learn)
        result = probe_result(
            predicted, clips.targets, folds, groups, clips.table["clip"].to_list(), cluster_name(clips, group)
        )
        results.append(dataclasses.replace(result, notes=(note,) if note else ()))
    return ProbeReport(
        options,
        f"{len(set(folds.tolist()))} folds by {options.folds}, groups by {group}",
        without,
        note,
        results,
        mean_summary(results, options.bootstrap_samples),
        dict(zip(clips.table["clip"].to_list(), map(str, folds.tolist()), strict=True)),
        curves if options.shots else {},
    )


def save_report(folder: str | os.PathLike[str], report: ProbeReport, card: Mapping[str, Any]) -> None:
    """Writes the result of each seed (`mu.evals.results.save`) to `seedS`, and `probe.json`.

    Args:
      folder: made if need be.
      report: of `probe`.
      card: what the caller knows: embeddings, encoder, library.
    """
    options, folder = report.options, Path(folder)
    card = {**card, "note": report.note, "split": report.split, "part": "pooled", "head": options.head}
    for seed, result in zip(options.seeds, report.results, strict=True):
        one = card | {"seed": seed}
        save(folder / f"seed{seed}", {"model": result}, one, samples=options.bootstrap_samples, seed=0)
    values = [result.values() for result in report.results]
    rows = [
        {"metric": name, "value": value, "low": low, "high": high, "seeds": [one[name] for one in values]}
        for name, value, low, high in report.estimates
    ]
    document = {"seeds": options.seeds, "rows": rows, "trials": options.trials, "few_shot": report.few_shot}
    write_json(folder / "probe.json", card | document)


def labelled_clips(library: str | os.PathLike[str], embeddings: Embeddings, options: ProbeOptions) -> tuple[Clips, int]:
    """(the clips of a library that have an embedding, with their targets; how many have a fault instead).

    Raises:
      FileNotFoundError: there is no such library.
      ValueError: there is no such column, or clips have neither an embedding nor a fault.
    """
    clips = clip_tables.load(
        library,
        sample_rate_hz=embeddings.card["encoder"]["sample_rate_hz"],
        classes=options.classes,
        tags=options.tags,
        numbers=options.numbers,
        audio=False,
    )
    hashes = clips.table["content_hash"].to_list()
    embedded = embeddings.rows(hashes) >= 0
    faulty = {fault["content_hash"] for fault in embeddings.faults}
    if missing := [row for row in np.flatnonzero(~embedded).tolist() if hashes[row] not in faulty]:
        named = "".join(f"\n  {clips.table['clip'][row]} ({hashes[row]})" for row in missing[:NAMED])
        more = f"\n  and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        card = embeddings.card
        raise ValueError(
            f"{len(missing):,} of the {len(clips):,} clips of {library} have no embedding; these are embeddings of "
            f"{card['library']}:{named}{more}\n"
            f"embed them with `mu embed {card['encoder']['run']} {library} --output=DIR`"
        )
    return clips.take(np.flatnonzero(embedded)), int((~embedded).sum())


def linear_of_few(features: np.ndarray, target: Target, groups: np.ndarray) -> Linear:
    """`Linear` with penalty 1: a few clips cannot choose one."""
    del groups
    return Linear().fit(features, target)


def _check_columns(library: str | os.PathLike[str], options: ProbeOptions) -> None:
    """Refuses columns that the library does not have, before anything is read."""
    path = Path(library) / "clips.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"no clips at {library} (clips.parquet is missing); make them with `mu import-audio`")
    columns = tables.parquet_columns(path)
    names = [*options.classes, *options.tags, *options.numbers, *filter(None, [options.group])]
    for name in names if options.folds.isdecimal() else [*names, options.folds]:
        if name not in columns:
            raise ValueError(f"{library} has no column {name!r}{nearest(name, columns)}")


def _folds(clips: Clips, options: ProbeOptions) -> np.ndarray:
    """[n]: the fold that tests each clip; dealt folds are stratified by the first classes, if all are known."""
    if not options.folds.isdecimal():
        return integers_where_possible(whole_column(clips.table, options.folds)).to_numpy()
    stratify: str | None = next(iter(options.classes), None)
    if stratify is not None and clips.table[stratify].null_count():
        stratify = None
    return fold_numbers(clips, n_folds=int(options.folds), group=options.group, stratify=stratify)


def _few_shot_curve(
    options: ProbeOptions, name: str, clips: Clips, features: np.ndarray, folds: np.ndarray, groups: np.ndarray
) -> list[dict[str, float]]:
    shots: Sequence[int] = options.shots
    if not shots:
        return []
    right = few_shot(
        features,
        cast(ClassTarget, clips.targets[name]),
        folds,
        groups,
        shots=shots,
        trials=options.trials,
        seed=options.seeds[0],
        learn=linear_of_few,
    )
    estimates = few_shot_accuracy(right, groups, options.bootstrap_samples)
    return [
        {"shots": k, "accuracy": accuracy, "low": low, "high": high}
        for k, (accuracy, low, high) in zip(shots, estimates, strict=True)
    ]
