"""Columns of tables as features for models: hashed categories, and tags as 0 and 1."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mu.data.logs import attributes


def hashed_features(table: pl.DataFrame, columns: Sequence[str], hash_size: int) -> np.ndarray:
    """int32 [n, P]: the hashed values of each row, of all columns; -1 fills up, P is at least 1.

    A column of text may have several values, separated by '|', or lists; a number counts as it is written, a whole one
    without its '.0', for a column of years has that once a year is missing. Values are hashed together with their
    column's name, so a value met after training has a place too; `mu.data.features.known_features` leaves it out.

    Args:
      table: of n rows.
      columns: of it.
      hash_size: how many places there are.

    Raises:
      ValueError: there is no such column; it has neither text nor numbers nor lists.
    """
    if not 1 <= hash_size < 2**31:
        raise ValueError(f"hash_size is {hash_size}; it must lie in [1, 2**31)")
    parts = []
    for column in columns:
        labels = _labels(table, column)
        names = pl.Series([f"{column}={name}" for name in labels.names], dtype=pl.String)
        of_name = attributes.hashed(names, hash_size)
        counts = np.diff(labels.indptr)
        places = np.full((len(table), int(counts.max(initial=0))), -1, np.int32)
        number = np.arange(len(labels.codes)) - np.repeat(labels.indptr[:-1], counts)
        places[np.repeat(np.arange(len(table)), counts), number] = of_name[labels.codes]
        parts.append(places)
    joined = np.concatenate([np.full((len(table), 0), -1, np.int32), *parts], axis=1)
    # Without any value there is a column of none: checkpoints have no empty arrays.
    return joined if joined.shape[1] else np.full((len(table), 1), -1, np.int32)


def values_of(table: pl.DataFrame, column: str) -> tuple[str, ...]:
    """The different values of a column as `hashed_features` reads them, sorted; errors as there."""
    return _labels(table, column).names


def _labels(table: pl.DataFrame, column: str) -> attributes.Labels:
    """The values of a column, as they are hashed."""
    values = attributes.column_of(table, column)
    if values.dtype.is_float():
        values = values.fill_nan(None).cast(pl.String).str.replace(r"\.0$", "")
    elif values.dtype != pl.List:
        values = values.cast(pl.String)
    return attributes.multi_label(values.alias(column).to_frame(), column)
