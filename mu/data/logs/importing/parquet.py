"""Parquet, in batches of rows."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data import tables
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import decode, is_invalid, printable

BATCH_ROWS = 1 << 19


class Parquet:
    """The format of Parquet files."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The columns of the schema."""
        return tables.parquet_columns(source.name)

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted` with their types; bytes become text."""
        scan = tables.scan_parquet(source.name).select(wanted)
        n_rows = scan.select(pl.len()).collect().item()
        row = 0
        for frame in scan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming"):
            lines = np.arange(row + 1, row + 1 + len(frame))
            row += len(frame)
            done = row / max(n_rows, 1)
            bad: list[BadRow] = []
            for name in (name for name, dtype in frame.schema.items() if dtype == pl.Binary):
                texts = _texts(frame[name])
                invalid = (texts.is_null() & frame[name].is_not_null()).to_numpy()
                for at in np.flatnonzero(invalid):
                    value = printable(decode(frame[name][int(at)], "utf-8"))
                    bad.append(BadRow(source.name, int(lines[at]), name, value, "invalid utf-8"))
                frame, lines = frame.with_columns(texts).filter(~invalid), lines[~invalid]
            yield RowBatch(frame, lines, bad, done)


def _texts(column: pl.Series) -> pl.Series:
    """The bytes of `column` as text; null where they are no UTF-8."""
    try:
        return column.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if value is None else decode(value, "utf-8") for value in column]
        return pl.Series(column.name, [None if t is None or is_invalid(t) else t for t in texts], dtype=pl.String)


parquet_format = Parquet()
