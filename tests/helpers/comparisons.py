"""Results with known values for what pages say of them."""

import numpy as np

from mu.evals.result import Result
from mu.report.comparison import comparison


def half_ones(n, ones):
    """float64 [n]: so many ones, evenly spread, the rest zeros."""
    values = np.zeros(n)
    values[np.linspace(0, n - 1, ones).astype(np.int64)] = 1.0
    return values


def user_result(**columns):
    """A result of users by metric: 'recall' is 'recall@10'."""
    values = {f"{name}@10": np.asarray(column, np.float64) for name, column in columns.items()}
    return Result("user", np.arange(len(next(iter(values.values())))), values)


def play_result(sections, plays_of_each=4, **more):
    """A result of plays, every `plays_of_each` of one user: section -> recall@20 of its plays, the rest undefined."""
    n = sum(len(values) for values in sections.values())
    columns, start = {}, 0
    for section, values in sections.items():
        column = columns[f"{section}/recall@20"] = np.full(n, np.nan)
        column[start : start + len(values)] = values
        start += len(values)
    clusters = np.arange(n) // plays_of_each
    return Result("play", np.arange(n), columns, "user", clusters, shown=tuple(columns), **more)


def compared(results, **more):
    """The comparison of results with intervals of 200 draws."""
    rows = {name: {one.name: one for one in result.summary(200)} for name, result in results.items()}
    return comparison(results, rows, samples=200, **more)
