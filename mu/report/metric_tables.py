"""Every metric of an evaluation: a table of recommenders and metrics; of sections one for each metric."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from mu.evals.result import Estimate
from mu.report.numbers import interval, number

Cell = tuple[str, str]
"""(value, interval)."""


@dataclasses.dataclass(frozen=True)
class MetricTable:
    """Values with intervals.

    Attributes:
      name: above the table; empty where there is one table.
      header: of the columns after the first.
      rows: (recommender or section, its cells).
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
    """Tables of all metrics: recommenders as rows; where there are sections, these are the rows, for they are many.

    Args:
      rows: recommender -> metric -> value and interval; 'SECTION/METRIC' where an evaluation has sections.
      counts: section -> number of its units.
    """
    names = list(next(iter(rows.values())))
    sections = list(dict.fromkeys(name.rpartition("/")[0] for name in names))
    if sections == [""]:
        cells = [(row, [cell(estimates[name]) for name in names]) for row, estimates in rows.items()]
        return [MetricTable("", names, cells)]
    tables = []
    for metric in dict.fromkeys(name.rpartition("/")[2] for name in names):
        cells = [
            (
                f"{section} ({counts[section]:,})" if section in counts else section,
                [cell(estimates[f"{section}/{metric}"]) for estimates in rows.values()],
            )
            for section in sections
            if f"{section}/{metric}" in names
        ]
        tables.append(MetricTable(metric, list(rows), cells))
    return tables


def cell(estimate: Estimate) -> Cell:
    """A value and its interval; no interval where the value is not defined."""
    ends = interval(estimate.low, estimate.high, 3) if math.isfinite(estimate.value) else ""
    return number(estimate.value, 3), ends
