"""All seeds of a cross-validation: the mean of each metric over them, and each seed beside it."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.evals.few_units import interval_text
from mu.evals.folds import DOCUMENT, is_cross_validation
from mu.evals.leaders import MODEL
from mu.evals.nouns import counted
from mu.files import read_json
from mu.report.columns import Column, words_of
from mu.report.metric_tables import AllMetrics, MetricTable


@dataclasses.dataclass(frozen=True)
class Seeds:
    """The pooled results of a cross-validation.

    Attributes:
      seeds: of its runs.
      folds: how many runs each seed has.
      rows: evaluation -> recommender or predictor -> metric -> 'value', 'low', 'high', 'std', 'seeds' and 'folds'.
      over: evaluation -> what its intervals are over.
    """

    seeds: Sequence[int]
    folds: int
    rows: Mapping[str, Mapping[str, Mapping[str, Any]]]
    over: Mapping[str, str]

    @property
    def words(self) -> str:
        """'3 seeds of 5 folds', or '3 seeds'."""
        folds = f" of {self.folds} folds" if self.folds > 1 else ""
        return f"{counted(len(self.seeds), 'seed')}{folds}"


def seeds_of(folder: str | os.PathLike[str]) -> Seeds:
    """The seeds of a cross-validation."""
    document = read_json(Path(folder) / DOCUMENT)
    return Seeds(document["seeds"], document["folds"], document["evaluations"], document["over"])


def run_or_first_seed(folder: str | os.PathLike[str]) -> Path:
    """The folder of the first seed of a whole cross-validation; any other folder as it is."""
    return Path(folder) / f"seed{seeds_of(folder).seeds[0]}" if is_cross_validation(folder) else Path(folder)


def seed_tables(seeds: Seeds, evaluation: str, columns: Sequence[Column]) -> AllMetrics:
    """A table for each metric: mean over seeds with its interval, spread, then each seed; and the folds of the model.

    Args:
      seeds: of the cross-validation.
      evaluation: name of it.
      columns: the metrics, in the order of the tables; all descriptive, or none.
    """
    rows, metrics = seeds.rows[evaluation], [column.name for column in columns]
    several = len(seeds.seeds) > 1
    header = ["mean over seeds", *["std"] * several, *(f"seed {seed}" for seed in seeds.seeds)]
    tables = [
        MetricTable(metric, header, [(words_of(name), _cells(row[metric], seeds)) for name, row in rows.items()])
        for metric in metrics
    ]
    by_fold = ", ".join(_number(value) for value in rows[MODEL][metrics[0]]["folds"])
    pooled = ", each seed pooled over its folds" if seeds.folds > 1 else ""
    better = (
        "These metrics describe lists: larger is not always better." if columns[0].descriptive else "Larger is better."
    )
    notes = [
        f"{better} {seeds.words}{pooled}. Brackets: 95 % bootstrap intervals of the mean over seeds, over "
        f"{seeds.over[evaluation]}." + " std: standard deviation over seeds." * several
    ]
    if seeds.folds > 1:
        notes.append(f"{metrics[0]} of the model in each fold, mean over seeds: {by_fold}.")
    return AllMetrics(tables, notes)


def _cells(row: Mapping[str, Any], seeds: Seeds) -> list[tuple[str, str]]:
    interval = "" if row["low"] is None or row["high"] is None else interval_text(row["low"], row["high"], ".3f")
    spread = [(_number(row["std"]), "")] if len(seeds.seeds) > 1 else []
    return [
        (_number(row["value"]), interval),
        *spread,
        *((_number(row["seeds"][str(seed)]), "") for seed in seeds.seeds),
    ]


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
