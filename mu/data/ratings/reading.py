"""Reads a table of ratings, CSV or Parquet; an error names the file, the line and the value."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mu.data import tables
from mu.data.ratings.ratings import Ratings

BINARY = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def read_ratings(
    path: str | os.PathLike[str],
    places: Mapping[str, int],
    *,
    clip_column: str,
    labels: Sequence[str],
    categories: Sequence[str],
    numbers: Sequence[str],
) -> Ratings:
    """Reads a table of ratings, CSV with a header or Parquet; blanks around names and values do not count.

    Args:
      path: the file.
      places: value of `clip_column` -> row of the clip.
      clip_column: the clip that a rating is of.
      labels: columns of 0 and 1, the ratings.
      categories: columns with strings, attributes of the listener; an empty value is unknown.
      numbers: columns with numbers, attributes of the listener; an empty value is unknown.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a column is missing or named twice, there is no such clip, or a value does not suit its column;
        names the file, the line and the value.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there are no ratings at {file}")
    is_parquet = file.suffix == ".parquet"
    table = tables.read_parquet(file) if is_parquet else tables.read_csv(file)
    table = table.rename({name: name.strip() for name in table.columns})
    columns = [clip_column, *labels, *categories, *numbers]
    if not labels:
        raise ValueError("labels=(); name the columns with ratings of 0 and 1")
    for name in columns:
        if name not in table.columns:
            raise ValueError(f"{file} has no column {name!r}; there is: {', '.join(table.columns)}")
        if columns.count(name) > 1:
            raise ValueError(f"column {name!r} of {file} is named twice; a column is one thing")
    if not len(table):
        raise ValueError(f"{file} has no ratings")
    booleans = pl.col(pl.Boolean).cast(pl.UInt8)
    texts = table.select(columns).with_columns(booleans).cast(pl.String).select(pl.all().str.strip_chars())
    values = {name: [value or None for value in texts[name]] for name in columns}

    def at(row: int) -> str:
        return f"{file}, {'row' if is_parquet else 'line'} {row + (1 if is_parquet else 2)}"

    def clip(row: int, key: str | None) -> int:
        if key is None or key not in places:
            raise ValueError(
                f"{at(row)}: {clip_column!r} is {key!r}, and there is no such clip; the clips' keys are such as "
                f"{next(iter(places), None)!r}"
            )
        return places[key]

    def label(row: int, name: str, text: str | None) -> float:
        if (text or "").lower() not in BINARY:
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be 0 or 1")
        return BINARY[(text or "").lower()]

    def number(row: int, name: str, text: str | None) -> float:
        try:
            value = float("nan") if text is None else float(text)
        except ValueError:
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be a number, or empty") from None
        if np.isinf(value):
            raise ValueError(f"{at(row)}: {name!r} is {text!r}; it must be finite, or empty")
        return value

    return Ratings(
        np.array([clip(row, key) for row, key in enumerate(values[clip_column])], np.int64),
        np.array([f"{key}#{row}" for row, key in enumerate(values[clip_column])]),
        {name: np.array(values[name], object) for name in categories},
        {name: np.array([number(row, name, text) for row, text in enumerate(values[name])]) for name in numbers},
        np.array([[label(row, name, values[name][row]) for name in labels] for row in range(len(table))], np.float32),
    )
