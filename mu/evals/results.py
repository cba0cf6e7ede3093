"""Evaluations on disk: `evaluation.json` to read, `units.npz` to compare results unit by unit."""

import dataclasses
import hashlib
import io
import math
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mu import trust
from mu.evals.nouns import plural
from mu.evals.result import Estimate, Result, Statistic
from mu.files import read_json, replacing, write_json
from mu.locks import writing

FORMAT_VERSION = 2
# Fields of a result that are alike in all results of an evaluation, and that JSON can hold.
TEXTS = ("unit", "cluster", "counts", "same", "card", "notes", "shown", "descriptive", "truth")


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """An evaluation that `save` wrote.

    Attributes:
      folder: where it lies.
      results: name of the recommender or predictor -> its result.
      card: of the run: step, seed, ...
      samples: of the bootstrap.
      seed: of the bootstrap.
      rows: name -> metric -> value and interval.
      details: of the first result, name -> part -> value and interval.
    """

    folder: Path
    results: dict[str, Result]
    card: dict[str, Any]
    samples: int
    seed: int
    rows: dict[str, dict[str, Estimate]]
    details: dict[str, dict[str, Estimate]]


def save(
    folder: str | os.PathLike[str],
    results: Mapping[str, Result],
    card: Mapping[str, Any],
    *,
    samples: int = 1000,
    seed: int = 0,
) -> None:
    """Writes `evaluation.json` (values, intervals, counts, cards) and `units.npz` (the numbers of every unit).

    The JSON file names the sha256 of the other: a save that was cut off is noticed on loading. A value
    that is not defined, such as the recall of a class without clips, is null in it.

    Args:
      folder: made if need be; an evaluation in it is replaced.
      results: name of the recommender or predictor ('model', 'popularity', ...) -> its result; all of one evaluator.
      card: what the run knows: step, seed, ...; what JSON can hold.
      samples: of the bootstrap.
      seed: of the bootstrap.

    Raises:
      ValueError: no results, or results of different evaluators.
    """
    _check_alike(results)
    first = next(iter(results.values()))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **_arrays(results))  # pyright: ignore[reportArgumentType]
    document = {
        "format_version": FORMAT_VERSION,
        "run": dict(card),
        "n_units": len(first),
        "n_clusters": first.n_clusters,
        **{name: getattr(first, name) for name in TEXTS},
        "interval": {
            "kind": f"percentile bootstrap over {plural(first.drawn_noun)}, wider for few (docs/intervals.md)",
            "level": 0.95,
            "samples": samples,
            "seed": seed,
        },
        "columns": list(first.columns),
        "statistics": {name: dataclasses.asdict(one) for name, one in first.statistics.items()},
        "detail_statistics": {name: dataclasses.asdict(one) for name, one in first.details.items()},
        "rows": {name: _rows(result.summary(samples, seed)) for name, result in results.items()},
        "details": {name: _rows(first.detail(name, samples, seed)) for name in first.details},
        "units_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    # The larger is written before either takes its place: where the disk is full, the evaluation before stays.
    with writing(folder) as place, replacing(place / "units.npz") as units_file:
        units_file.write_bytes(buffer.getvalue())
        write_json(place / "evaluation.json", document)


def load(place: str | os.PathLike[str], name: str | None = None) -> Evaluation:
    """Reads an evaluation.

    Args:
      place: its folder, or the folder of a run.
      name: which of the run's evaluations; None where it has one.

    Raises:
      FileNotFoundError: there is none.
      ValueError: there are several, the two files do not belong together, or are of another format.
      Untrusted: a metric is neither mu's nor of a package that the user trusts.
    """
    folder = find(place, name)
    document = read_json(folder / "evaluation.json")
    if document.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{folder / 'evaluation.json'} has format_version {document.get('format_version')!r}; this version of mu "
            f"reads {FORMAT_VERSION}: evaluate again (`mu evaluate RUN`)"
        )
    for group in ("statistics", "detail_statistics"):
        for one in document[group].values():
            for path in filter(None, (one["metric"], one.get("counted"))):
                trust.check(path, group, folder / "evaluation.json")
    content = (folder / "units.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != document["units_sha256"]:
        raise ValueError(
            f"{folder / 'units.npz'} is not the file that evaluation.json describes "
            "(a save was cut off, or a file was changed); evaluate again"
        )
    with np.load(io.BytesIO(content)) as arrays:
        results = {name: _result(document, arrays, name) for name in document["rows"]}
    return Evaluation(
        folder=folder,
        results=results,
        card=document["run"],
        samples=document["interval"]["samples"],
        seed=document["interval"]["seed"],
        rows={name: _estimates(rows) for name, rows in document["rows"].items()},
        details={name: _estimates(rows) for name, rows in document["details"].items()},
    )


def find(place: str | os.PathLike[str], name: str | None = None) -> Path:
    """The folder of an evaluation: `place` itself, or of a run's evaluations the one of this name, or the only one.

    Raises:
      FileNotFoundError: there is none.
      ValueError: there are several, and no name chooses.
    """
    place = Path(place)
    if (place / "evaluation.json").is_file():
        return place
    folders = evaluations_of(place)
    if not folders:
        raise FileNotFoundError(
            f"no evaluation at {place}: neither it nor a folder in {place / 'evaluation'} holds evaluation.json; "
            "`mu train` and `mu evaluate` write one"
        )
    if name is None and len(folders) == 1:
        return next(iter(folders.values()))
    if name not in folders:
        chosen = "" if name is None else f", and none is {name!r}"
        raise ValueError(f"{place} holds the evaluations {', '.join(folders)}{chosen}: choose one by --eval=NAME")
    return folders[name]


def evaluations_of(run: str | os.PathLike[str]) -> dict[str, Path]:
    """The evaluations of a run, or those that a folder holds: name -> folder."""
    files = sorted(Path(run).glob("evaluation/*/evaluation.json")) or sorted(Path(run).glob("*/evaluation.json"))
    return {file.parent.name: file.parent for file in files}


def tables(place: str | os.PathLike[str]) -> str:
    """The tables of a run's evaluations, or of those that a folder holds, as text."""
    return "".join((folder / "table.txt").read_text(encoding="utf-8") for folder in evaluations_of(place).values())


def _check_alike(results: Mapping[str, Result]) -> None:
    """Refuses results that are not of one evaluator."""
    if not results:
        raise ValueError("there are no results to save")
    names = iter(results)
    first = results[next(names)]
    for name in names:
        other = results[name]
        alike = np.array_equal(other.units, first.units) and other.names == first.names
        if not alike or any(
            getattr(other, field) != getattr(first, field)
            for field in ("unit", "same", "statistics", "counts", "notes")
        ):
            raise ValueError(f"{name!r} comes from another evaluator than {next(iter(results))!r}; save them apart")
    for name in results:
        if "/" in name:
            raise ValueError(f"the recommender {name!r} has a '/' in its name")


def _arrays(results: Mapping[str, Result]) -> dict[str, np.ndarray]:
    """What units.npz holds: units, clusters and truth once, the rest of each result."""
    first = next(iter(results.values()))
    arrays = {"units": first.units} | ({} if first.clusters is None else {"clusters": first.clusters})
    arrays |= {f"truth/{name}": first.arrays[name] for name in first.truth}
    for recommender, result in results.items():
        arrays |= {f"columns/{recommender}/{name}": column for name, column in result.columns.items()}
        own = (name for name in result.arrays if name not in result.truth)
        arrays |= {f"arrays/{recommender}/{name}": result.arrays[name] for name in own}
    return arrays


def _result(document: Mapping[str, Any], arrays: Mapping[str, np.ndarray], recommender: str) -> Result:
    def below(prefix: str) -> Iterator[tuple[str, np.ndarray]]:
        return ((key.removeprefix(prefix), arrays[key]) for key in arrays if key.startswith(prefix))

    texts: dict[str, Any] = {
        name: tuple(value) if isinstance(value := document[name], list) else value
        for name in TEXTS
        if name in document  # evaluations of older versions do not say what is descriptive
    }
    return Result(
        units=arrays["units"],
        clusters=arrays.get("clusters"),
        columns={name: arrays[f"columns/{recommender}/{name}"] for name in document["columns"]},
        statistics=_statistics(document["statistics"]),
        details=_statistics(document["detail_statistics"]),
        arrays=dict(below("truth/")) | dict(below(f"arrays/{recommender}/")),
        **texts,
    )


def _statistics(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Statistic]:
    return {
        # Evaluations of older versions do not say what is counted, or of which units a statistic is.
        name: Statistic(
            one["metric"],
            tuple(one["arrays"]),
            one["options"],
            tuple(one["parts"]),
            one.get("counted", ""),
            one.get("units", ""),
        )
        for name, one in described.items()
    }


def _rows(estimates: list[Estimate]) -> dict[str, dict[str, float]]:
    return {one.name: {"value": one.value, "low": one.low, "high": one.high} for one in estimates}


def _estimates(rows: Mapping[str, Mapping[str, float | None]]) -> dict[str, Estimate]:
    """Values and intervals; NaN where the file holds null."""

    def number(value: float | None) -> float:
        return math.nan if value is None else value

    return {
        name: Estimate(name, number(row["value"]), number(row["low"]), number(row["high"]))
        for name, row in rows.items()
    }
