"""Columns of a table as words in buckets: what a model is told of tracks and listeners."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mu.data.logs import attributes


def words(table: pl.DataFrame, columns: Sequence[str], buckets: int) -> np.ndarray:
    """int32 [n, P]: for each row the buckets of its words, of all columns; -1 fills up, P is at least 1.

    A column of text may hold several words, separated by '|', or lists; a number counts as it is written, a whole one
    without its '.0', for a column of years has that once a year is missing. Words are hashed together with their
    column's name, so a value met after training has a bucket too.

    Args:
      table: of n rows.
      columns: of it.
      buckets: how many there are.

    Raises:
      ValueError: there is no such column; it holds neither text nor numbers nor lists.
    """
    if not 1 <= buckets < 2**31:
        raise ValueError(f"buckets is {buckets}; it must lie in [1, 2**31)")
    parts = []
    for column in columns:
        labels = _labels(table, column)
        names = pl.Series([f"{column}={name}" for name in labels.names], dtype=pl.String)
        of_name = attributes.hashed(names, buckets)
        counts = np.diff(labels.indptr)
        found = np.full((len(table), int(counts.max(initial=0))), -1, np.int32)
        place = np.arange(len(labels.codes)) - np.repeat(labels.indptr[:-1], counts)
        found[np.repeat(np.arange(len(table)), counts), place] = of_name[labels.codes]
        parts.append(found)
    joined = np.concatenate([np.full((len(table), 0), -1, np.int32), *parts], axis=1)
    # Without any word there is a column of none: checkpoints hold no empty arrays.
    return joined if joined.shape[1] else np.full((len(table), 1), -1, np.int32)


def names_of(table: pl.DataFrame, column: str) -> tuple[str, ...]:
    """The different words of a column, sorted; errors as of `words`."""
    return _labels(table, column).names


def _labels(table: pl.DataFrame, column: str) -> attributes.Labels:
    """The words of a column, as they are hashed."""
    values = attributes.column_of(table, column)
    if values.dtype.is_float():
        values = values.fill_nan(None).cast(pl.String).str.replace(r"\.0$", "")
    elif values.dtype != pl.List:
        values = values.cast(pl.String)
    return attributes.multi_label(values.alias(column).to_frame(), column)


def multi_hot(table: pl.DataFrame, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(float32 [n, C], names): 1 where a row has a word of the column; of a row without any nothing is known.

    Raises:
      ValueError: there is no such column, or it holds no words.
    """
    labels = attributes.multi_label(table, column)
    if not labels.names:
        raise ValueError(f"column {column!r} holds no words")
    found = np.zeros((len(table), len(labels.names)), np.float32)
    found[np.repeat(np.arange(len(table)), np.diff(labels.indptr)), labels.codes] = 1.0
    return found, labels.names
