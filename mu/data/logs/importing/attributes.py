"""What is known of users and tracks beside their plays: columns of the log, and tables joined by id."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from mu.data.logs.importing.identifiers import Identifiers, plain_integers
from mu.data.logs.importing.rows import Plays


class Entities:
    """The users, or the tracks, of a log: ids and the attributes that came with their first play."""

    def __init__(self, key: str, attributes: dict[str, str]):
        self.key = key
        self.ids = Identifiers()
        self._attributes = attributes
        self._frames: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, ids: pl.Series, plays: Plays) -> tuple[np.ndarray, np.ndarray]:
        """int32 [n] dense ids, and int64: where in `ids` the new ones are; remembers the attributes of these."""
        dense, first = self.ids.number(ids)
        if self._attributes and len(first):
            new = plays.frame[first]
            self._frames.append(
                new.select(text_of(new[source]).alias(name) for source, name in self._attributes.items())
            )
        return dense, first

    def add(self, ids: pl.Series) -> np.ndarray:
        """Numbers those of `ids` that have no plays, without attributes; int64: where in `ids` these are."""
        _, new = self.ids.number(ids)
        if self._attributes:
            self._frames.append(_text_frame(self._attributes.values(), len(new)))
        return new

    def table(self) -> pl.DataFrame:
        """Column `key`, then the attributes; row = dense id."""
        table = pl.DataFrame([self.ids.values().alias(self.key)])
        if self._attributes:
            frames = self._frames or [_text_frame(self._attributes.values(), 0)]
            table = table.hstack([tidy(column) for column in pl.concat(frames)])
        return table


def _text_frame(names: Iterable[str], rows: int) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series([None] * rows, dtype=pl.String) for name in names})


def tidy(column: pl.Series) -> pl.Series:
    """Text as Int64 where every value is a whole number written the plain way; empty is null."""
    known = column.drop_nulls()
    if column.dtype == pl.String and len(known) and plain_integers(known) is not None:
        return column.cast(pl.Int64)
    return column


def text_of(column: pl.Series) -> pl.Series:
    """As String; empty is null."""
    if column.dtype in (pl.List, pl.Array, pl.Struct, pl.Object):
        text = pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], dtype=pl.String)
    else:
        text = column.cast(pl.String, strict=False)
    return text.set(text == "", None)
