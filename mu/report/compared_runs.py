"""Several runs beside each other: their models and baselines on the units, and in the metrics, that all share."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.leaders import MODEL, VARIANTS
from mu.evals.pairs import aligned, shared
from mu.evals.result import Estimate, Result
from mu.evals.results import Evaluation, evaluations_of, find, load
from mu.files import read_json
from mu.report.columns import NAMES, words_of
from mu.report.read import Curves, curve, first_run, runs_of
from mu.report.seeds import run_or_first_seed


@dataclasses.dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run, or a seed of a cross-validation.

    Attributes:
      name: what the page calls it: the folder as it was given, which no row of an evaluation is called.
      evaluation: the one that is compared.
      document: config.json; that of the first fold.
      record: run.json, likewise.
      curves: of the run, or of each fold.
    """

    name: str
    evaluation: Evaluation
    document: Mapping[str, Any]
    record: Mapping[str, Any]
    curves: Curves


def read_runs(places: Sequence[str | os.PathLike[str]], name: str | None = None) -> list[ComparedRun]:
    """The runs in these folders.

    Args:
      places: of the runs; of a whole cross-validation its first seed is taken.
      name: of the evaluation; None where the runs share one.

    Raises:
      FileNotFoundError: a folder holds no run, or no evaluation.
      ValueError: a run is given twice, or the runs share several evaluations, or none, and no name chooses.
    """
    names = [os.path.normpath(run_or_first_seed(place)) for place in places]
    twice = next((one for at, one in enumerate(names) if one in names[:at]), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice: there is nothing to compare")
    for place in names:
        runs_of(place)  # refused before anything is read
    chosen = _evaluation_name(names) if name is None else name
    return [_read(place, chosen) for place in names]


def together(runs: Sequence[ComparedRun]) -> tuple[dict[str, Result], dict[str, Mapping[str, Estimate]]]:
    """(name -> result, name -> metric -> value and interval) of the model of each run, and of their baselines.

    A baseline that is the same in all runs that have it stands once; one that differs stands for each run. Metrics are
    those that all runs have.

    Raises:
      ValueError: the runs were not measured on the same units, task, truth and clusters; names what differs.
    """
    first = runs[0].evaluation.results[MODEL]
    metrics = first.names
    for run in runs[1:]:
        pair = aligned(first, run.evaluation.results[MODEL], names=(runs[0].name, run.name))
        metrics = [metric for metric in metrics if metric in shared(*pair)]
    if not metrics:
        raise ValueError(f"{', '.join(run.name for run in runs)} have no metric in common")
    results: dict[str, Result] = {}
    rows: dict[str, Mapping[str, Estimate]] = {}
    for name, run, row in _rows(runs, metrics):
        results[name] = _limited(run.evaluation.results[row], metrics)
        rows[name] = run.evaluation.rows[row]
    return results, rows


def _rows(runs: Sequence[ComparedRun], metrics: Sequence[str]) -> list[tuple[str, ComparedRun, str]]:
    """(name on the page, run, name in its evaluation): the models, then the baselines."""
    models = [(run.name, run, MODEL) for run in runs]
    every = dict.fromkeys(row for run in runs for row in run.evaluation.results if row not in (MODEL, *VARIANTS))
    baselines = []
    for row in every:
        having = [run for run in runs if row in run.evaluation.results]
        alike = all(
            _same(having[0].evaluation.rows[row][metric], run.evaluation.rows[row][metric])
            for run in having
            for metric in metrics
        )
        if alike:
            baselines.append((row, having[0], row))
        else:
            baselines += [(f"{words_of(row)} of {run.name}", run, row) for run in having]
    return [*models, *baselines]


def _same(one: Estimate, other: Estimate) -> bool:
    return bool(np.array_equal(one.value, other.value, equal_nan=True))


def _limited(result: Result, metrics: Sequence[str]) -> Result:
    """The result with these of its metrics alone."""
    return dataclasses.replace(
        result,
        columns={name: column for name, column in result.columns.items() if name in metrics},
        statistics={name: one for name, one in result.statistics.items() if name in metrics},
        shown=tuple(name for name in result.shown if name in metrics),
    )


def _evaluation_name(names: Sequence[str]) -> str:
    """The evaluation that all runs have."""
    each = {name: evaluations_of(name) for name in names}
    for name, evaluations in each.items():
        if not evaluations:
            find(name)  # raises, and says what to do
    common = [one for one in each[names[0]] if all(one in evaluations for evaluations in each.values())]
    if len(common) == 1:
        return common[0]
    have = "; ".join(f"{name} has {', '.join(evaluations)}" for name, evaluations in each.items())
    if common:
        raise ValueError(f"the runs share the evaluations {', '.join(common)}: choose one by --eval=NAME")
    raise ValueError(f"the runs share no evaluation: {have}")


def _read(place: str, evaluation: str) -> ComparedRun:
    first = first_run(place)
    loaded = load(place, evaluation)
    if MODEL not in loaded.results:
        raise ValueError(f"{loaded.folder} has no row {MODEL!r}; it has {', '.join(loaded.results)}")
    return ComparedRun(
        name=f"./{place}" if place in {*NAMES, *loaded.results} else place,  # a folder may be called as a row is
        evaluation=loaded,
        document=read_json(first / "config.json"),
        record=read_json(first / "run.json"),
        curves={name: curve(Path(run) / "metrics.jsonl") for name, run in runs_of(place).items()},
    )
