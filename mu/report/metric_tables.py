"""Every metric of an evaluation, a row a recommender: a table of each metric by sections, or one of all metrics."""

import dataclasses
from collections.abc import Mapping, Sequence

from mu.evals.few_units import interval_text
from mu.evals.result import Estimate

Cell = tuple[str, str]
"""(value, interval)."""


@dataclasses.dataclass(frozen=True)
class MetricTable:
    """Values with intervals.

    Attributes:
      name: above the table; empty where there is one table.
      header: of the columns after the first.
      rows: (recommender, its cells).
    """

    name: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclasses.dataclass(frozen=True)
class AllMetrics:
    """The data of the section about all metrics.

    Attributes:
      tables: one a metric, or one of all.
      notes: sentences below them.
    """

    tables: Sequence[MetricTable]
    notes: Sequence[str]


def metric_tables(rows: Mapping[str, Mapping[str, Estimate]], counts: Mapping[str, int]) -> list[MetricTable]:
    """Tables of all metrics.

    Args:
      rows: recommender -> metric -> value and interval; 'SECTION/METRIC' where an evaluation has sections.
      counts: section -> number of its units.
    """
    names = list(next(iter(rows.values())))
    sections = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
    if sections == [""]:
        return [_table("", rows, {name: name for name in names})]
    metrics = dict.fromkeys(name.rpartition("/")[2] for name in names)
    titles = {one: f"{one} ({counts[one]:,})" if one in counts else one for one in sections}
    return [
        _table(metric, rows, {f"{one}/{metric}": titles[one] for one in sections if f"{one}/{metric}" in names})
        for metric in metrics
    ]


def _table(name: str, rows: Mapping[str, Mapping[str, Estimate]], columns: Mapping[str, str]) -> MetricTable:
    cells = {row: [_cell(estimates[column]) for column in columns] for row, estimates in rows.items()}
    return MetricTable(name, list(columns.values()), list(cells.items()))


def _cell(estimate: Estimate) -> Cell:
    return f"{estimate.value:.3f}", interval_text(estimate.low, estimate.high, ".3f")
