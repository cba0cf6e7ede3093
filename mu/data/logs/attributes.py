"""What is known of tracks (or users, or clips), as arrays for models: categories, labels, dates of release, buckets.

The tables are those of a log (`Interactions.tracks`, row = dense id), or any other. Where nothing is known, -1 stands,
or an empty row of labels: a model learns from what there is.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import polars as pl

from mu.names import nearest


class Categories(NamedTuple):
    """One of several names for each row.

    Attributes:
      codes: int32 [V], index into `names`, -1 where not known.
      names: sorted, as numbers where they are.
    """

    codes: np.ndarray
    names: tuple[str, ...]


class Labels(NamedTuple):
    """Any of several names for each row.

    Attributes:
      indptr: int64 [V+1]; row v's labels are `codes[indptr[v]:indptr[v+1]]`.
      codes: int32, index into `names`; in a row ascending, all different.
      names: sorted.
    """

    indptr: np.ndarray
    codes: np.ndarray
    names: tuple[str, ...]


def categorical(table: pl.DataFrame, column: str) -> Categories:
    """The column of names, numbers or booleans as codes.

    Raises:
      ValueError: no such column; names those there are.
    """
    values = column_of(table, column)
    ordered = values.drop_nulls().unique().sort()
    numbered = ordered.to_frame("value").with_row_index("code")
    codes = values.to_frame("value").join(numbered, on="value", how="left", maintain_order="left")["code"]
    return Categories(codes.cast(pl.Int32).fill_null(-1).to_numpy(), tuple(map(str, ordered)))


def multi_label(table: pl.DataFrame, column: str, sep: str = "|") -> Labels:
    """The column of lists, or of names separated by `sep` (spaces around and empty names aside), as codes.

    Raises:
      ValueError: no such column, or it holds neither text nor lists; names what there is.
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


def released_ms(table: pl.DataFrame, column: str) -> np.ndarray:
    """int64 [V]: unix milliseconds of the dates in the column, -1 where there is none.

    Dates are ISO 8601 (UTC where no zone is given), dates of Parquet, a year and month or a year alone; then their
    first moment counts. The year 0 means that nobody knows, as the Million Song Dataset has it. Fit for
    `mu_kernels.NegativeSampler(available_from=...)`: a track without a date was always there.

    Raises:
      ValueError: no such column, or something else stands in it; names the row and the value.
    """
    from mu.data.logs.importing.clock import MISSING, Clock  # brings Numba, which clips do without

    values = column_of(table, column)
    if values.dtype.is_temporal():
        moments = Clock().read(values)
    else:
        text = values.cast(pl.String).str.strip_chars()
        text = text.set(text.str.contains(r"^(0*|0\.0)$"), None)
        text = text.str.replace(r"^(\d{4})(\.0)?$", "${1}-01")  # years beside gaps are written as floats by some
        text = text.str.replace(r"^(\d{4}-\d{2})$", "${1}-01")
        moments = Clock("iso").read(text)
        bad = (moments == MISSING) & text.is_not_null().to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            who = f" ({table.columns[0]} {table[row, 0]!r})" if table.columns[0] != column else ""
            raise ValueError(
                f"column {column!r}, row {row}{who}: {values[row]!r} is no date; it must be ISO 8601 such as "
                f"2024-05-31, a year and month, or a year ({int(bad.sum()):,} of {len(bad):,} rows are none)"
            )
    return np.where(moments == MISSING, -1, moments)


def hashed(strings: pl.Series, buckets: int, seed: int = 0) -> np.ndarray:
    """int32 [V]: a bucket in `[0, buckets)` for each string, -1 for null.

    A function of the string, `buckets` and `seed` alone, on any machine: what a model meets after training, such as
    a new artist, has a bucket too, and the one it will keep. BLAKE2b of the UTF-8 text; numbers count as they are
    written.

    Raises:
      ValueError: `buckets` is not in `[1, 2**31)`.
    """
    if not 1 <= buckets < 2**31:
        raise ValueError(f"buckets is {buckets}; it must lie in [1, 2**31)")
    key = int(seed).to_bytes(16, "little", signed=True)

    def bucket(text: str) -> int:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "little") % buckets

    codes, names = categorical(strings.cast(pl.String).to_frame("text"), "text")
    of_name = np.array([*map(bucket, names), -1], np.int32)  # the last answers for -1
    return of_name[codes]


def column_of(table: pl.DataFrame, name: str) -> pl.Series:
    """A column of the table.

    Raises:
      ValueError: there is none; says the nearest, and all there are.
    """
    if name not in table.columns:
        there = ", ".join(table.columns)
        raise ValueError(f"the table has no column {name!r}{nearest(name, table.columns)}; there is: {there}")
    return table[name]
