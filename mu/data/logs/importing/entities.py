"""The users, or the tracks, of a log: ids, and attributes from columns of the log."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from mu.data.logs.importing.identifiers import Identifiers
from mu.data.logs.importing.rows import PlayRows
from mu.data.tables import ColumnError
from mu.data.whole_numbers import integers_where_possible

SEPARATOR = "|"


class Entities:
    """The users, or the tracks, of a log: their ids and the attributes of the first play of each.

    Args:
      key: 'user' or 'track', the column of ids in the table.
      attributes: columns of the log -> columns of the table.
    """

    def __init__(self, key: str, attributes: dict[str, str]):
        self._key, self._attributes = key, attributes
        self._ids = Identifiers()
        self._frames: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return len(self._ids)

    def number(self, ids: pl.Series, plays: PlayRows) -> tuple[np.ndarray, np.ndarray]:
        """Numbers the ids of plays, and keeps the attributes of new ones.

        Returns:
          int32 [n] dense ids, and int64: the positions of the new ids in `ids`.
        """
        dense, first = self._ids.number(ids)
        if self._attributes and len(first):
            new = plays.frame[first]
            self._frames.append(
                new.select(text_of(new[source]).alias(name) for source, name in self._attributes.items())
            )
        return dense, first

    def ids(self) -> pl.Series:
        """The ids so far, by dense id."""
        return self._ids.values()

    def add(self, ids: pl.Series) -> np.ndarray:
        """Numbers ids without plays or attributes; returns the positions of the new ones in `ids` (int64)."""
        _, new = self._ids.number(ids)
        if self._attributes:
            self._frames.append(_empty_frame(self._attributes.values(), len(new)))
        return new

    def table(self) -> pl.DataFrame:
        """The column of ids, then the attributes; row = dense id."""
        table = pl.DataFrame([self._ids.values().alias(self._key)])
        if self._attributes:
            frames = self._frames or [_empty_frame(self._attributes.values(), 0)]
            table = table.hstack([as_attribute(column) for column in pl.concat(frames)])
        return table


def _empty_frame(names: Iterable[str], rows: int) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([None] * rows, dtype=pl.String) for name in names})


def as_attribute(column: pl.Series) -> pl.Series:
    """Text as the column of a table: titles as text, others as integers where all of them are such in plain form."""
    return column if column.name == "title" else integers_where_possible(column)


def text_of(column: pl.Series) -> pl.Series:
    """The column as String, lists separated by '|', what is nested deeper as JSON; empty text becomes null.

    Raises:
      ColumnError: a value of a list holds a '|' itself, or bytes that are no UTF-8; names the column and the value.
    """
    if column.dtype in (pl.List, pl.Array) and not column.dtype.inner.is_nested():  # pyright: ignore
        text = _joined(column)
    elif column.dtype in (pl.List, pl.Array, pl.Struct, pl.Object):
        text = pl.Series(column.name, map(_json, column.to_list()), dtype=pl.String)
    else:
        text = column.cast(pl.String, strict=False)
    return text.set(text == "", None)


def _joined(lists: pl.Series) -> pl.Series:
    inner = lists.explode().drop_nulls()
    try:
        values = inner.cast(pl.String)
    except pl.exceptions.ComputeError as error:
        raise ColumnError(f"the lists of column {lists.name!r} hold {inner.dtype} that is no text: {error}") from error
    torn = values.filter(values.str.contains(SEPARATOR, literal=True))
    if len(torn):
        raise ColumnError(
            f"the lists of column {lists.name!r} are kept as text separated by {SEPARATOR!r}, and {torn[0]!r} "
            "holds one itself: write it otherwise, such as with '/'"
        )
    return lists.cast(pl.List(pl.String)).list.join(SEPARATOR, ignore_nulls=True)


def _json(value: Any) -> str | None:
    """JSON of a value of a nested column; dates and the like as Python writes them."""
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)
