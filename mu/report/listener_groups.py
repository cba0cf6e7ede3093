"""A metric in groups of listeners: by their plays or ratings before the test, and by what the log says of them."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mu.evals.groups import MOST_GROUPS, by_group, group_names, listeners_of, range_names
from mu.evals.result import Result
from mu.report.log_words import LogWords
from mu.report.metric_tables import Cell, cell

EMPTY: Cell = ("", "")


@dataclasses.dataclass(frozen=True)
class Groups:
    """A table of groups of listeners.

    Attributes:
      by: what tells the groups apart.
      metric: of the cells.
      header: names of the recommenders.
      rows: (group, number of listeners, [(value, interval)], (gap of the first recommender to all others, interval)).
    """

    by: str
    metric: str
    header: Sequence[str]
    rows: Sequence[tuple[str, int, Sequence[Cell], Cell]]


def listener_groups(
    results: Mapping[str, Result],
    metric: str,
    n_before: np.ndarray,
    users: pl.DataFrame,
    words: LogWords,
    samples: int,
    seed: int,
) -> list[Groups]:
    """A table for each way to group listeners that makes at least two groups; none where units are of no listeners.

    Args:
      results: name of the recommender -> its result.
      metric: a column of them.
      n_before: int [U], plays or ratings before the test.
      users: table of the U listeners; its columns of numbers and those of few values make groups.
      words: what the events of the log are called.
      samples: of the bootstrap.
      seed: of the bootstrap.
    """
    listeners = listeners_of(next(iter(results.values())))
    if listeners is None:
        return []
    groups = {f"{words.event}s before the test": range_names(n_before[listeners])}
    for column in users.columns:
        values = users[column]
        if column != "user" and (values.dtype.is_numeric() or 2 <= values.drop_nulls().n_unique() <= MOST_GROUPS):
            groups[column.replace("_", " ")] = group_names(values.to_list())[listeners]
    tables = []
    for by, names in groups.items():
        columns = [
            {one.group: one for one in by_group(result, metric, names, samples, seed)} for result in results.values()
        ]
        rows = []
        for group in dict.fromkeys(group for column in columns for group in column):
            # A metric may be undefined for so many lists of one recommender that the group is among its others.
            own = [column.get(group) for column in columns]
            cells = [EMPTY if one is None else cell(one.value) for one in own]
            n_listeners = max(one.n_listeners for one in own if one is not None)
            rows.append((group, n_listeners, cells, EMPTY if own[0] is None else cell(own[0].gap)))
        if rows:
            tables.append(Groups(by, metric, list(results), rows))
    return tables
