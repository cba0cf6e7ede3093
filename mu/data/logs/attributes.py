"""Attributes of tracks, users or clips as arrays for models: categories, multi-labels, release dates, hashed names.

The tables are those of a log (`Interactions.tracks`, row = dense id) or any others. A missing value is -1, or an empty
row of labels.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import polars as pl

from mu.data.logs.time_notations import MISSING
from mu.data.logs.timestamps import TimestampParser
from mu.data.whole_numbers import integers_where_possible
from mu.names import nearest

NAMES_OF_ONE = ("track", "title", "file")
"""Columns of words that say which track it is."""
UNKNOWN_RELEASE = -1
"""As a release date; others may be negative too: before 1970."""


class Categories(NamedTuple):
    """A categorical column as codes.

    Attributes:
      codes: int32 [V], index into `names`; -1 where the value is missing.
      names: sorted; numbers, and texts that are all whole numbers, in numerical order.
    """

    codes: np.ndarray
    names: tuple[str, ...]


class Labels(NamedTuple):
    """A multi-label column as codes.

    Attributes:
      indptr: int64 [V+1]; the labels of row v are `codes[indptr[v]:indptr[v+1]]`.
      codes: int32, index into `names`; ascending and distinct within a row.
      names: sorted.
    """

    indptr: np.ndarray
    codes: np.ndarray
    names: tuple[str, ...]


def categorical(table: pl.DataFrame, column: str) -> Categories:
    """Codes of a column of names, numbers or booleans.

    Raises:
      ValueError: no such column.
    """
    values = integers_where_possible(column_of(table, column))
    ordered = values.drop_nulls().unique().sort()
    numbered = ordered.to_frame("value").with_row_index("code")
    codes = values.to_frame("value").join(numbered, on="value", how="left", maintain_order="left")["code"]
    return Categories(codes.cast(pl.Int32).fill_null(-1).to_numpy(), tuple(map(str, ordered)))


def multi_label(table: pl.DataFrame, column: str, sep: str = "|") -> Labels:
    """Codes of a column of lists, or of texts of names separated by `sep`.

    Spaces around a name are dropped, and so are empty names.

    Raises:
      ValueError: no such column, or it holds neither text nor lists.
    """
    values = column_of(table, column)
    if values.dtype != pl.List:
        if values.dtype.is_nested() or values.dtype.is_temporal():
            raise ValueError(f"column {column!r} holds {values.dtype}; labels are text separated by {sep!r}, or lists")
        values = values.cast(pl.String).str.split(sep)
    rows = pl.DataFrame({"row": np.arange(len(values)), "label": values}).explode("label").drop_nulls("label")
    rows = rows.with_columns(pl.col("label").cast(pl.String).str.strip_chars()).filter(pl.col("label") != "")
    names = rows["label"].unique().sort()
    pairs = rows.join(names.to_frame("label").with_row_index("code"), on="label").select("row", "code")
    pairs = pairs.unique().sort("row", "code")
    counts = np.bincount(pairs["row"].to_numpy(), minlength=len(values))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Labels(indptr, pairs["code"].cast(pl.Int32).to_numpy(), tuple(names))


def multi_hot(table: pl.DataFrame, column: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of the column as ones and zeros, float32 [V, C], and their C names.

    A row without any label is NaN: nobody has labelled it, which does not mean that it has none of them.

    Raises:
      ValueError: as `multi_label`, or no row has a label.
    """
    labels = multi_label(table, column)
    if not labels.names:
        raise ValueError(f"column {column!r} holds no tags")
    counts = np.diff(labels.indptr)
    values = np.zeros((len(table), len(labels.names)), np.float32)
    values[np.repeat(np.arange(len(table)), counts), labels.codes] = 1.0
    values[counts == 0] = np.nan
    return values, labels.names


def released_ms(table: pl.DataFrame, column: str) -> np.ndarray:
    """Release dates as int64 [V] unix milliseconds; -1 where a date is missing.

    Dates are ISO 8601 (UTC where no zone is given), dates of Parquet, YYYYMMDD, a year and month, or a year; the first
    moment of a month or year counts. The year 0 is a missing date, as in the Million Song Dataset. The result is a
    valid `mu_kernels.NegativeSampler(available_from=...)`: a track without a date is always available.

    Raises:
      ValueError: no such column, or a value is no date; names the row and the value.
    """
    values = column_of(table, column)
    if values.dtype.is_temporal():
        moments = TimestampParser().parse(values)
    else:
        text = values.cast(pl.String).str.strip_chars()
        text = text.set(text.str.contains(r"^(0*|0\.0)$"), None)
        text = text.str.replace(
            r"^(\d{4})(\.0)?$", "${1}-01"
        )  # some tools write a column of years with missing values as floats
        text = text.str.replace(r"^(\d{4}-\d{2})$", "${1}-01")
        text = text.str.replace(r"^(\d{4})(\d{2})(\d{2})(\.0)?$", "${1}-${2}-${3}")
        moments = TimestampParser("iso").parse(text)
        bad = (moments == MISSING) & text.is_not_null().to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            row_id = f" ({table.columns[0]} {table[row, 0]!r})" if table.columns[0] != column else ""
            raise ValueError(
                f"column {column!r}, row {row}{row_id}: {values[row]!r} is no date; it must be ISO 8601 such as "
                f"2024-05-31, a year and month, or a year ({int(bad.sum()):,} of {len(bad):,} rows are none)"
            )
    return np.where(moments == MISSING, UNKNOWN_RELEASE, moments)


def numeric(table: pl.DataFrame, column: str) -> np.ndarray:
    """float64 [V]: a column of numbers; NaN where one is missing.

    Raises:
      ValueError: no such column, or a value is no finite number; names the row and the value.
    """
    values = column_of(table, column)
    numbers = values.cast(pl.Float64, strict=False) if not values.dtype.is_nested() else values
    if not numbers.dtype.is_float():
        raise ValueError(f"column {column!r} holds {values.dtype}; a numeric feature is one number")
    there = values.is_not_null() & ((values != "") if values.dtype == pl.String else True)
    bad = (there & (numbers.is_null() | numbers.is_infinite())).fill_null(False)
    if bad.any():
        row = int(bad.arg_true()[0])
        raise ValueError(
            f"column {column!r}, row {row} ({table.columns[0]} {table[row, 0]!r}): {values[row]!r} is no finite number "
            f"({int(bad.sum()):,} of {len(bad):,} rows have none)"
        )
    return numbers.fill_null(np.nan).to_numpy()


def hashed(strings: pl.Series, hash_size: int, seed: int = 0) -> np.ndarray:
    """Feature hashing: int32 [V], the row in `[0, hash_size)` of each string; -1 for null.

    The row depends on the string, `hash_size` and `seed` alone, on any machine, so values that first appear after
    training, such as a new artist, have a row too and keep it. The hash is BLAKE2b of the UTF-8 text; numbers are
    hashed as they are written.

    Raises:
      ValueError: `hash_size` is not in `[1, 2**31)`.
    """
    if not 1 <= hash_size < 2**31:
        raise ValueError(f"hash_size is {hash_size}; it must lie in [1, 2**31)")
    key = int(seed).to_bytes(16, "little", signed=True)

    def row_of(text: str) -> int:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little") % hash_size

    codes, names = categorical(strings.cast(pl.String).to_frame("text"), "text")
    of_name = np.array([*map(row_of, names), -1], np.int32)  # the last one is for code -1
    return of_name[codes]


def column_of(table: pl.DataFrame, name: str) -> pl.Series:
    """The column `name` of the table.

    Raises:
      ValueError: no such column; names the nearest one, and all of them.
    """
    if name not in table.columns:
        names = ", ".join(table.columns)
        raise ValueError(f"the table has no column {name!r}{nearest(name, table.columns)}; there is: {names}")
    return table[name]


def attribute_columns(tracks: pl.DataFrame) -> tuple[str, ...]:
    """The columns of words that tracks share: artist, genres, tags; each word on two tracks in the mean, or more."""
    words = [name for name, dtype in tracks.schema.items() if dtype == pl.String and name not in NAMES_OF_ONE]
    return tuple(name for name in words if not _are_numbers(tracks[name]) and _are_shared(multi_label(tracks, name)))


def _are_numbers(column: pl.Series) -> bool:
    return column.cast(pl.Float64, strict=False).null_count() == column.null_count()


def _are_shared(labels: Labels) -> bool:
    return len(labels.codes) >= 2 * max(len(labels.names), 1)
