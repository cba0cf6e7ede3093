"""Tables of metrics in groups of listeners, as a frame and as text."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mu.evals.few_units import interval_text
from mu.evals.groups import MIN_LISTENERS, by_group, group_names, listeners_of
from mu.evals.nouns import plural
from mu.evals.result import Result
from mu.evals.text_tables import text_table
from mu.files import replacing

GROUPS = "groups.csv"
SCHEMA = {
    "by": pl.String,
    "group": pl.String,
    "listeners": pl.Int64,
    "recommender": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "gap": pl.Float64,
    "gap_low": pl.Float64,
    "gap_high": pl.Float64,
}


def check_columns(users: pl.DataFrame, columns: Sequence[str]) -> None:
    """Raises ValueError where the listeners' table lacks a column, or it is their id."""
    attributes = [name for name in users.columns if name != "user"]
    for column in columns:
        if column not in attributes:
            there = f"they have {', '.join(attributes)}" if attributes else "nothing is known of them but their ids"
            raise ValueError(f"the listeners of the log have no column {column!r} to group them by; {there}")


def group_frame(
    results: Mapping[str, Result], users: pl.DataFrame, columns: Sequence[str], samples: int = 1000, seed: int = 0
) -> pl.DataFrame:
    """Every metric of each recommender in groups of listeners (`mu.evals.groups.by_group`).

    Args:
      results: name of the recommender -> its result.
      users: table of the listeners, a row for each id.
      columns: of the table, each a way to group them.
      samples: of the bootstrap.
      seed: of the bootstrap.

    Returns:
      by, group, listeners, recommender, metric, value, its 95 % interval (low, high), and the gap to all other
      listeners with its interval; no rows for a column that does not make two groups of `MIN_LISTENERS`.

    Raises:
      ValueError: the listeners have no such column, or units are of no listeners.
    """
    check_columns(users, columns)
    first = next(iter(results.values()))
    listeners = listeners_of(first)
    if listeners is None:
        raise ValueError(f"units are {plural(first.unit)} of no listeners, so there are no groups of them")
    groups = {column: group_names(users[column].to_list())[listeners] for column in columns}
    rows = [
        (column, one.group, one.n_listeners, name, *one.value, one.gap.value, one.gap.low, one.gap.high)
        for column, names in groups.items()
        for name, result in results.items()
        for metric in result.columns
        for one in by_group(result, metric, names, samples, seed)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def write_groups(folder: str | os.PathLike[str], frame: pl.DataFrame) -> None:
    """Writes a table of `group_frame` as groups.csv of an evaluation's folder."""
    with replacing(Path(folder) / GROUPS) as file:
        frame.write_csv(file)


def read_groups(folder: str | os.PathLike[str]) -> pl.DataFrame:
    """The table that `write_groups` wrote."""
    return pl.read_csv(Path(folder) / GROUPS, schema=SCHEMA)


def group_text(frame: pl.DataFrame, metric: str, columns: Sequence[str], width: int | None) -> str:
    """A metric of `group_frame` as text: a table a column of the listeners, rows are groups.

    Args:
      frame: of `group_frame`.
      metric: that is shown.
      columns: of the listeners.
      width: of the terminal; None for any.
    """
    texts = []
    for column in columns:
        rows = frame.filter(pl.col("by") == column, pl.col("metric") == metric)
        if not len(rows):
            texts.append(f"by {column}: there are not two groups of {MIN_LISTENERS} listeners or more.")
            continue
        first, names = rows["recommender"][0], rows["recommender"].unique(maintain_order=True).to_list()
        table = [[f"{metric} by {column}", "listeners", *names, f"gap of {first}"]]
        for (group,), own in rows.group_by("group", maintain_order=True):
            # A metric may be undefined for so many lists of one recommender that the group is among its others.
            by_name = {one["recommender"]: one for one in own.rows(named=True)}
            values = [_cell(by_name.get(name), "value", "low", "high") for name in names]
            gap = _cell(by_name.get(first), "gap", "gap_low", "gap_high")
            table.append([str(group), f"{own['listeners'].max():,}", *values, gap])
        texts.append(text_table(table, width=width))
    note = f"gap: the group less all other listeners. Groups of fewer than {MIN_LISTENERS} are put together as others."
    return "\n\n".join([*texts, note])


def _cell(row: Mapping[str, Any] | None, value: str, low: str, high: str) -> str:
    return "" if row is None else f"{row[value]:.4f} {interval_text(row[low], row[high])}"
