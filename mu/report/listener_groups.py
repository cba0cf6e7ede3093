"""A metric by how much listeners had played before the test."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.result import Result
from mu.report.metric_tables import Cell, cell

MOST_GROUPS = 4


@dataclasses.dataclass(frozen=True)
class Groups:
    """A table of groups of listeners.

    Attributes:
      metric: of the cells.
      header: names of the recommenders.
      rows: (plays before the test, number of listeners, [(value, interval)]).
    """

    metric: str
    header: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[Cell]]]


def listener_groups(
    results: Mapping[str, Result], metric: str, n_before: np.ndarray, samples: int, seed: int
) -> Groups | None:
    """A metric in up to four groups of listeners of about equal size; None where all have played equally much.

    Args:
      results: name of the recommender -> its result over users.
      metric: a column of them.
      n_before: int [U], plays before the test.
      samples: of the bootstrap.
      seed: of the bootstrap.
    """
    first = next(iter(results.values()))
    plays = n_before[first.units]
    edges = np.unique(np.quantile(plays, np.linspace(0, 1, MOST_GROUPS + 1)[1:-1], method="higher"))
    group = np.searchsorted(edges, plays, side="right")
    rows = []
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        low, high = int(plays[members].min()), int(plays[members].max())
        cells = []
        for result in results.values():
            part = dataclasses.replace(
                result.take(members), statistics={}, columns={metric: result.columns[metric][members]}
            )
            (estimate,) = part.summary(samples, seed)
            cells.append(cell(estimate))
        rows.append((f"{low:,}" if low == high else f"{low:,} to {high:,}", len(members), cells))
    return Groups(metric, list(results), rows) if len(rows) > 1 else None
